/**
 * The value of a Concept Mixer, as text: category → what to say of it.
 *
 *   {"version": 1, "mix": {"hair": {"say": "red", "strength": 0.8}, "hat": {"say": null, "strength": 1}, "eyes": {"keep": true}}}
 *
 * `say: null` says nothing of the category. Names that no dictionary knows are kept as they are.
 */

export const VERSION = 1;

/** Return category → row of a text; null if it is none that can be edited here, so that nothing is overwritten. */
export function parse(text) {
  if (!text?.trim()) return {};
  try {
    const value = JSON.parse(text);
    const empty = value && typeof value === "object" && !Object.keys(value).length;
    if (empty) return {};
    return value.version === VERSION && value.mix && typeof value.mix === "object" ? value.mix : null;
  } catch {
    return null;
  }
}

/** Return the text of rows; no rows are "{}". */
export function dump(rows) {
  return Object.keys(rows).length ? JSON.stringify({ version: VERSION, mix: rows }) : "{}";
}

/** Return rows with one category's set, or taken out with `null`; the others keep their order. */
export function withRow(rows, category, row) {
  const { [category]: _, ...others } = rows;
  return row === null ? others : { ...rows, [category]: row };
}
