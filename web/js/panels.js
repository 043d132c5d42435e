/** Which node gets which panel. */

import { capturePanel } from "./capture.js";
import { comparePanel } from "./compare.js";
import { lockedPanel } from "./locked.js";
import { mixerPanel } from "./mixer.js";
import { watchConcept } from "./picker.js";
import { reportPanel } from "./report.js";
import { fitPanel } from "./saved.js";
import { tablePanel } from "./table.js";
import { toldPanel } from "./told.js";
import { loaderPanel } from "./upload.js";

export const PANELS = {
  SupSAE_ConceptMixer: { replace: { mix: mixerPanel } },
  SupSAE_ComparePictures: { below: [comparePanel] },
  SupSAE_ConceptEdit: { watch: watchConcept },
  SupSAE_ConceptTable: { below: [tablePanel] },
  SupSAE_Capture: { below: [capturePanel] },
  SupSAE_FitDictionary: { below: [fitPanel] },
  SupSAE_EvaluateDictionary: { below: [reportPanel] },
  SupSAE_CheckModel: { below: [reportPanel] },
  SupSAE_ApplyEdits: { below: [toldPanel] },
  SupSAE_LockedPicture: { below: [lockedPanel] },
  SupSAE_ReadPrompt: { below: [toldPanel] },
  SupSAE_StrengthSweep: { below: [toldPanel] },
  SupSAE_TryConcepts: { below: [toldPanel] },
  SupSAE_Audit: { below: [toldPanel] },
  SupSAE_ConceptMap: { below: [toldPanel] },
  SupSAE_BlockMap: { below: [toldPanel] },
  SupSAE_SaveConditioning: { below: [toldPanel] },
  SupSAE_LoadConditioning: { below: [toldPanel] },
  SupSAE_QuickConcept: { below: [toldPanel] },
  SupSAE_CombineDictionaries: { below: [toldPanel] },
  SupSAE_LoadDictionary: { below: [loaderPanel] },
};
