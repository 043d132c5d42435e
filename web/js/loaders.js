/** Whose text encoders the loaders behind a CLIP load, from the server's table: known before anything runs. */

import { sourceOf, widgetOf } from "./graph.js";

const DEPTH = 32;
const STANDS_FOR = /GGUF$/; // loaders of other files that are set as ComfyUI's own

const CHECKPOINT = "CheckpointLoaderSimple"; // goes by its file alone
const BY_FILE = { CLIPLoader: "clip_name", [CHECKPOINT]: "ckpt_name" }; // goes by its file more than by its type
const PATIENCE = 30000; // milliseconds for which it is known what a file is

const files = new Map(); // question → promise of names of families, null where they are not known
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

/** Return {node, type, file, usual, may} of a node that loads encoders, null if it is not known what it loads. */
export function loaderOf(node) {
  const name = (node?.comfyClass ?? node?.type ?? "").replace(STANDS_FOR, "");
  if (!Object.hasOwn(table, name)) return null;
  const type = String(chosen(node, "type") ?? "");
  const found = Object.hasOwn(table[name], type) ? table[name][type] : null;
  return found && { node: name, type, file: BY_FILE[name] && chosen(node, BY_FILE[name]), ...found };
}

/**
 * Return what a loader loads as its file tells, which the server reads; where that is not known the same, and of a
 * checkpoint null.
 */
export async function narrowed(host, loader) {
  const isCheckpoint = loader?.node === CHECKPOINT;
  if (!loader?.file) return isCheckpoint ? null : loader;
  const asked = isCheckpoint ? { checkpoint: loader.file } : { file: loader.file, type: loader.type };
  const path = `encoder?${new URLSearchParams(asked)}`;
  if (!files.has(path)) {
    files.set(path, host.ask(path).then(({ families }) => families, () => null));
    setTimeout(() => files.delete(path), PATIENCE); // a file may come, or another of its name
  }
  const found = await files.get(path);
  if (found) return { ...loader, usual: found, may: found };
  return isCheckpoint ? null : loader;
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

const chosen = (node, name) => widgetOf(node, name)?.value;
