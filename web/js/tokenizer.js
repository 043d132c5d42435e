/** Which tokenizer a Concept Table's phrases will meet: that of the CLIP of the capture that the table goes to. */

import { sourceOf } from "./graph.js";

const KNOWN = [
  [/^SupSAE_LoadPortraitsCLIP$/, "portraits"],
  [/^TripleCLIPLoader|CheckpointLoader/, "sd3"], // one or two encoders alone are refused by Capture
];

/** Return "portraits", "sd3", or null where no capture or no loader is connected. */
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
  const own = KNOWN.find(([pattern]) => pattern.test(node.comfyClass ?? node.type ?? ""));
  return own ? own[1] : named(sourceOf(node, "clip"), depth - 1);
}
