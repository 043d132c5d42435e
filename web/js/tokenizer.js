/** Which tokenizer a Concept Table's phrases will meet: that of the CLIP of the capture that the table goes to. */

import { sourceOf } from "./graph.js";

const KNOWN = [
  [/^SupSAE_LoadPortraitsCLIP$/, "portraits"],
  [/^TripleCLIPLoader|CheckpointLoader/, "sd3"], // one or two encoders alone are refused by Capture
];

/** What ComfyUI's loaders of one or two encoders are set to → the family; both sizes of Klein spell alike. */
const TYPES = {
  flux: "flux",
  sdxl: "sdxl",
  chroma: "chroma",
  pixart: "chroma",
  lumina2: "z-image",
  qwen_image: "qwen-image",
  flux2: "klein-4b",
  krea2: "krea-2",
};

/** Return the name of a family, or null where no capture or no loader that is known is connected. */
export function tokenizerBehind(host) {
  if (!host.node.graph) return null;
  for (const target of host.targets("table")) {
    const found = named(sourceOf(target, "clip"));
    if (found) return found;
  }
  return null;
}

/** Follow a CLIP through what only changes it, such as a LoRA. */
function named(node, depth = 8) {
  if (!node || !depth) return null;
  const name = node.comfyClass ?? node.type ?? "";
  if (/^(Dual)?CLIPLoader/.test(name)) {
    return TYPES[node.widgets?.find((one) => one.name === "type")?.value] ?? null;
  }
  const own = KNOWN.find(([pattern]) => pattern.test(name));
  return own ? own[1] : named(sourceOf(node, "clip"), depth - 1);
}
