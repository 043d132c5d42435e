/** SupSAE's face in the browser. Every node works without it; it adds panels, pickers and reports. */

import { extend } from "./js/frontend.js";
import { PANELS } from "./js/panels.js";

await extend(PANELS);
