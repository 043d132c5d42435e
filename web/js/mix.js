/**
 * The value of a Concept Mixer, as text: category → what to say of it.
 *
 *   {"version": 1, "mix": {"hair": {"say": "red", "strength": 0.8}, "hat": {"say": null, "strength": 1},
 *     "eyes": {"keep": true}, "haircut": {"scale": 1.3}}}
 *
 * `say: null` says nothing of the category, `{"between": ["sad", "happy"], "position": 0.3}` lies between two concepts, `scale` says less or more of what the prompt says of it, `off: true` changes
 * nothing for now, and `at: "golden locks"` says which words of the prompt speak of the category, and `mention: 2` which mention of it is meant. `from`, `to` and `ramp` let a row act in a part of
 * sampling alone, `inside: true` inside the mask alone. `hold: false` beside `mix` lets
 * all else in the picture follow, where a Lock would hold it. Names are compared as the server does, whatever their case
 * and blanks; those that no dictionary knows are kept as they are.
 */

import { sameWhen } from "./when.js";

export const VERSION = 1;

/** Return category → row of a text; null if it is none that can be edited here, so that nothing is overwritten. */
export function parse(text) {
  if (!text?.trim()) return {};
  try {
    const value = JSON.parse(text);
    if (!isObject(value)) return null;
    if (!Object.keys(value).length) return {};
    const rows = value.mix ?? {};
    return value.version === VERSION && isObject(rows) && Object.values(rows).every(isObject) ? rows : null;
  } catch {
    return null;
  }
}

/** Tell whether a text asks for the rest of the picture to be held, as it does unless it says otherwise. */
export function holds(text) {
  return parse(text) === null || !text?.trim() || JSON.parse(text).hold !== false;
}

/** Return the text of rows; nothing but what goes without saying is "{}". */
export function dump(rows, hold = true) {
  if (hold && !Object.keys(rows).length) return "{}";
  return JSON.stringify({ version: VERSION, ...(hold ? {} : { hold }), mix: rows });
}

/** Return rows with one category's set, spelled as given, or taken out with `null`; the others keep their order. */
export function withRow(rows, category, row) {
  const key = keyOf(Object.keys(rows), category);
  if (row === null) return Object.fromEntries(Object.entries(rows).filter(([name]) => name !== key));
  if (key === undefined) return { ...rows, [category]: row };
  return Object.fromEntries(Object.entries(rows).map(([name, old]) => (name === key ? [category, row] : [name, old])));
}

/** Return the row of a category, undefined if there is none. */
export function rowOf(rows, category) {
  const key = keyOf(Object.keys(rows), category);
  return key === undefined ? undefined : rows[key];
}

/** Return a row that is switched off or on and keeps its values. */
export function switched(row, off) {
  const { off: _, ...rest } = row;
  return off ? { ...rest, off: true } : rest;
}

/** Return a row that takes words of the prompt for its category, or takes none for it; null if nothing is left of it. */
export function taughtRow(row, words) {
  const { at: _, ...rest } = row ?? { scale: 1 };
  if (words) return { ...rest, at: words };
  return rest.scale === 1 && !rest.off ? null : rest;
}

/** Return a row that means one mention of its category, or every one with 0. */
export function meantRow(row, mention) {
  const { mention: _, ...rest } = row;
  return mention ? { ...rest, mention } : rest;
}

/** Tell whether two rows ask for the same. */
export function alike(one, other) {
  if (!one || !other) return !one && !other;
  if (Boolean(one.off) !== Boolean(other.off) || normal(one.at) !== normal(other.at) || !sameWhen(one, other)) return false;
  if (one.keep || other.keep) return Boolean(one.keep) === Boolean(other.keep);
  if ("scale" in one || "scale" in other) return one.scale === other.scale;
  if (one.between || other.between) {
    const ends = (row) => row.between?.map(normal).join("\n");
    return ends(one) === ends(other) && one.position === other.position;
  }
  if ((one.mention ?? 0) !== (other.mention ?? 0)) return false;
  return normal(one.say) === normal(other.say) && (one.strength ?? 1) === (other.strength ?? 1);
}

/** Return the one of some names that means the same as another, undefined if there is none. */
export function keyOf(names, wanted) {
  return names.find((one) => normal(one) === normal(wanted));
}

/** Return a member of an object that may have a name like "constructor". */
export function own(object, name) {
  return object && Object.hasOwn(object, name) ? object[name] : undefined;
}

const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
const normal = (name) => name?.toLowerCase().split(/\s+/).filter(Boolean).join(" ");
