/** Which node gets which panel. */

import { mixerPanel } from "./mixer.js";

export const PANELS = {
  SupSAE_ConceptMixer: { replace: { mix: mixerPanel } },
};
