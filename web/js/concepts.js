/** The concepts of a dictionary, wherever it comes from: the file that a loader names, or the last run. */

import { widgetOf } from "./graph.js";

const known = new Map(); // file name → promise of {family, categories, safe}
let listed = null; // promise of file name → its family, null of a file that is no dictionary

const PATIENCE = 5000; // milliseconds before a file that could not be read is asked for again
let times = 0;

/** Forget what was read: a file may have been written anew. */
export function forget() {
  known.clear();
  listed = null;
  times += 1;
}

/** Return how often it was forgotten: what was made of it is as old as that. */
export function forgotten() {
  return times;
}

/**
 * Return {family, categories, safe} of the dictionary behind an input, null if it is not known before a run.
 *
 * Rejects with a sentence if a loader names a file that cannot be read.
 */
export async function conceptsBehind(host, input = "dictionary") {
  return conceptsOf(host, host.source(input));
}

/** Return the same of a node that gives a dictionary. */
export async function conceptsOf(host, source) {
  if (source?.comfyClass !== "SupSAE_LoadDictionary") return null;
  const name = widgetOf(source, "name")?.value;
  return name ? read(host, name) : null;
}

/** Return the names of the files that are for one of some families, by their headers. */
export async function filesFor(host, families) {
  listed ??= host.ask("dictionaries");
  const asked = listed;
  const found = await asked.catch(() => null);
  if (!found && listed === asked) listed = null; // asked again the next time
  return Object.entries(found?.families ?? {}).flatMap(([name, family]) => (families.includes(family?.name) ? [name] : []));
}

function read(host, name) {
  if (!known.has(name)) {
    const asked = host.ask(`dictionary?name=${encodeURIComponent(name)}`);
    asked.catch(() => setTimeout(() => known.delete(name), PATIENCE));
    known.set(name, asked);
  }
  return known.get(name);
}
