/** Which tokenizer a Concept Table's phrases will meet: that of the CLIP of the capture that the table goes to. */

import { clipsBehind, loaderOf } from "./loaders.js";

const CHECKPOINT = /CheckpointLoader/;
const GUESSED = "sd3"; // of a checkpoint, which may hold any encoders: T5 and CLIP's chunks are the narrowest

/** Return the name of a family, or null where no capture or no loader that is known is connected. */
export function tokenizerBehind(host) {
  if (!host.node.graph) return null;
  for (const target of host.targets("table")) {
    const [loader] = clipsBehind(target);
    const found = CHECKPOINT.test(loader?.comfyClass ?? "") ? GUESSED : loaderOf(loader)?.usual[0];
    if (found) return found;
  }
  return null;
}
