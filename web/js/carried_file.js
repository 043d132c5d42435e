/** A dictionary's file, or its light form, carried along in the workflow: only where somebody asked for it. */

import { say } from "./language.js";
import { own } from "./mix.js";

const KEY = "supsae_file"; // property of the node, which a workflow and a picture keep
export const MOST = 1_000_000; // bytes, as supsae_core/dictionary/light.py has it
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;
const SHA256 = /^[0-9a-f]{64}$/;

/** Keep with the node what the server gives of a file: {name, size, bytes, light, sha256, data}. Return whether it did. */
export function keepFile(node, { name, size, bytes, light, sha256, data }) {
  const kept = { name, size, bytes, light, sha256, data };
  if (!isFile(kept)) return false;
  node.properties = { ...node.properties, [KEY]: kept };
  return true;
}

/** Keep no file with the node. Return whether there was one. */
export function dropFile(node) {
  if (own(node.properties, KEY) === undefined) return false;
  const { [KEY]: _, ...others } = node.properties;
  node.properties = others;
  return true;
}

/** Return what the node carries of a file; null if there is none, or if it is none. */
export function keptFile(node, name) {
  const kept = own(node.properties, KEY);
  return isFile(kept) && kept.name === name ? kept : null;
}

/** Return what is carried as a file to upload; reject with a sentence if it is not what was put in. */
export async function fileOf({ name, bytes, sha256, data }) {
  const content = Uint8Array.from(atob(data), (one) => one.charCodeAt(0));
  const digest = await globalThis.crypto?.subtle?.digest("SHA-256", content); // not there on plain http: the server checks
  if (content.length !== bytes || (digest && hex(digest) !== sha256)) throw new Error(say("carriedDamaged"));
  return new File([content], name.split(/[\\/]/).pop());
}

const hex = (digest) => [...new Uint8Array(digest)].map((one) => one.toString(16).padStart(2, "0")).join("");
const isText = (value, pattern) => typeof value === "string" && pattern.test(value);
const isCount = (value) => Number.isSafeInteger(value) && value > 0;

/** A workflow may come from anybody. */
function isFile(kept) {
  if (kept === null || typeof kept !== "object" || typeof kept.name !== "string" || typeof kept.light !== "boolean") return false;
  if (!isCount(kept.size) || !isCount(kept.bytes) || kept.bytes > MOST || !isText(kept.sha256, SHA256)) return false;
  return typeof kept.data === "string" && kept.data.length === 4 * Math.ceil(kept.bytes / 3) && isText(kept.data, BASE64);
}
