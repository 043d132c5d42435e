/** Whose text encoders the loaders behind a CLIP load, from the server's table: known before anything runs. */

import { sourceOf } from "./graph.js";

const DEPTH = 32;
const STANDS_FOR = /GGUF$/; // loaders of other files that are set as ComfyUI's own

let table = {}; // node → type → {usual, may}: names of families
let titles = {}; // name of a family → what people call it

/** Read the table once; without it nothing is said of loaders. */
export async function learnLoaders(read) {
  ({ loaders: table, titles } = await read().catch(() => ({ loaders: {}, titles: {} })));
}

/** Return what people call a family. */
export function titleOf(name) {
  return titles[name] ?? name;
}

/** Tell whether the table knows a family. */
export function isKnown(name) {
  return Object.hasOwn(titles, name);
}

/** Return {node, type, usual, may} of a node that loads encoders, null if it is not known what it loads. */
export function loaderOf(node) {
  const name = (node?.comfyClass ?? node?.type ?? "").replace(STANDS_FOR, "");
  if (!Object.hasOwn(table, name)) return null;
  const widget = node.widgets?.find((one) => one.name === "type");
  if (widget && isLinked(node, "type")) return null; // set from elsewhere
  const type = String(widget?.value ?? "");
  return Object.hasOwn(table[name], type) ? { node: name, type, ...table[name][type] } : null;
}

/** Return the nodes that give the CLIP of an input, behind what only changes or merges it, such as a LoRA. */
export function clipsBehind(node, input = "clip", depth = DEPTH) {
  const source = depth ? sourceOf(node, input) : null;
  const next = linked(source, "CLIP");
  return next.length ? next.flatMap((one) => clipsBehind(source, one.name, depth - 1)) : [source];
}

/**
 * Return what is known of every encoder that a node's conditionings come from: loaders as above, null for one that is
 * not known. A conditioning comes through nodes that change or join it from one that has a CLIP.
 */
export function loadersBehind(node, seen = new Set()) {
  if (!node || seen.has(node)) return node ? [] : [null];
  seen.add(node);
  const clips = linked(node, "CLIP");
  if (clips.length) return clips.flatMap((one) => clipsBehind(node, one.name)).map(loaderOf);
  const before = linked(node, "CONDITIONING");
  return before.length ? before.flatMap((one) => loadersBehind(sourceOf(node, one.name), seen)) : [null];
}

/** Return the inputs of a type that are linked. */
function linked(node, type) {
  return (node?.inputs ?? []).filter((one) => one.type === type && one.link != null);
}

function isLinked(node, name) {
  return node.inputs?.some((one) => one.name === name && one.link != null);
}
