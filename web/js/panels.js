/** Which node gets which panel. */

import { capturePanel } from "./capture.js";
import { mixerPanel } from "./mixer.js";
import { watchConcept } from "./picker.js";
import { reportPanel } from "./report.js";
import { savedPanel } from "./saved.js";
import { tablePanel } from "./table.js";
import { loaderPanel } from "./upload.js";

export const PANELS = {
  SupSAE_ConceptMixer: { replace: { mix: mixerPanel } },
  SupSAE_Edit: { watch: watchConcept },
  SupSAE_ConceptTable: { below: [tablePanel] },
  SupSAE_Capture: { below: [capturePanel] },
  SupSAE_CaptureActivations: { below: [capturePanel] },
  SupSAE_Fit: { below: [reportPanel] },
  SupSAE_EvaluateDictionary: { below: [reportPanel] },
  SupSAE_SaveDictionary: { below: [savedPanel] },
  SupSAE_LoadDictionary: { below: [loaderPanel] },
};
