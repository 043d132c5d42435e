/**
 * The words of our templates in the frontend's language: notes, titles, labels and descriptions.
 *
 * A template is one file, in English. When it is opened, what is word for word in the table is shown in the frontend's
 * language, and is saved so with the workflow. The table is read both ways: such a workflow opened under another language
 * speaks that one. What the user wrote is not in the table, and stays. Links go by the name of a slot, so one of a box gets
 * a label beside it; its key is "slot|name".
 */

const HOLE = /\{(\w+)\}/g;
const NOTES = ["MarkdownNote", "Note"];
const HEADING = /^# /;
const SLOT = "slot|";

export class TemplateWords {
  /**
   * @param {Record<string, Record<string, string>>} tables language → English text → own; {holes} are for names and numbers.
   * @param {string | undefined} shown the language that is to be shown: a key of tables, else English.
   */
  constructor(tables, shown) {
    const pairs = Object.values(tables).flatMap(written);
    this.tables = tables;
    this.shown = shown;
    this.english = new Rules([...pairs.map(([english]) => [english, english]), ...pairs.map(([english, own]) => [own, english])]);
    this.own = new Rules(written(tables[shown] ?? {}));
  }

  /** Return a text, or a line of a note, as it is to be shown; undefined if it is none of ours. */
  text(given) {
    const english = this.english.of(given);
    return english === undefined ? undefined : (this.own.of(english) ?? english);
  }

  /** Return the title of a node or a group, or a label: as `text`, but without holes, which other people's might fill. */
  title(given) {
    const english = this.english.exact.get(given);
    return english === undefined ? given : (this.own.exact.get(english) ?? english);
  }

  /** Return the label of a slot of this name, undefined in English; one that has a label of somebody's own keeps it. */
  slot({ name, label }) {
    const ours = Object.values(this.tables).map((table) => table[SLOT + name]);
    return label === undefined || ours.includes(label) ? this.tables[this.shown]?.[SLOT + name] : label;
  }

  /** Return a note; one with a line that is not ours was edited, and stays. */
  note(given) {
    const lines = given.split("\n").map((line) => (line.trim() ? this.text(line) : line));
    return lines.includes(undefined) ? given : lines.join("\n");
  }

  /** Tell whether a note begins as one of ours, edited or not. */
  begins(note) {
    const [heading] = note.split("\n");
    return HEADING.test(heading) && this.text(heading) !== undefined;
  }
}

/** Write a workflow's words, as it is saved, in the language of `words`; one without a note of ours is somebody's own. */
export function translateWorkflow(workflow, words) {
  const notes = (workflow.nodes ?? []).filter(isNote).flatMap((node) => Object.values(node.widgets_values ?? {}));
  if (!notes.some((text) => typeof text === "string" && words.begins(text))) return;
  const boxes = workflow.definitions?.subgraphs ?? [];
  for (const node of workflow.nodes) if (boxes.some((inner) => inner.id === node.type)) nameSlots(node, words);
  translateGraph(workflow, words);
  for (const inner of boxes) {
    nameSlots(inner, words); // before labels: what a slot is called may also be what a label says
    translateGraph(inner, words);
    rewrite(inner, "name", (text) => words.title(text));
    rewrite(inner, "description", (text) => words.text(text) ?? text);
    translateLabels(inner, words);
  }
}

function translateGraph(graph, words) {
  for (const one of [...(graph.nodes ?? []), ...(graph.groups ?? [])]) rewrite(one, "title", (text) => words.title(text));
  for (const node of graph.nodes ?? []) {
    translateLabels(node, words);
    if (!isNote(node)) continue;
    for (const values of [node.widgets_values, node.widgets_values_named]) {
      for (const key of Object.keys(values ?? {})) rewrite(values, key, (text) => words.note(text));
    }
  }
}

function translateLabels(holder, words) {
  for (const slot of slotsOf(holder)) rewrite(slot, "label", (text) => words.title(text));
}

function nameSlots(holder, words) {
  for (const slot of slotsOf(holder)) {
    const label = words.slot(slot);
    if (label === undefined) delete slot.label;
    else slot.label = label;
  }
}

const slotsOf = ({ inputs, outputs }) => [...(inputs ?? []), ...(outputs ?? [])];

const isNote = (node) => NOTES.includes(node.type);

function rewrite(holder, key, make) {
  if (typeof holder[key] === "string") holder[key] = make(holder[key]);
}

/** Text → text; a text with holes stands for all that fill them, and what has most letters of its own comes first. */
class Rules {
  constructor(pairs) {
    this.exact = new Map(pairs.filter(([from]) => !holesOf(from).length));
    const holed = pairs.filter(([from]) => holesOf(from).length).sort(([one], [other]) => lettersOf(other) - lettersOf(one));
    this.holed = holed.map(([from, to]) => ({ pattern: patternOf(from), to }));
  }

  of(text) {
    if (this.exact.has(text)) return this.exact.get(text);
    for (const { pattern, to } of this.holed) {
      const found = pattern.exec(text);
      if (found) return to.replace(HOLE, (_, name) => found.groups[name]);
    }
    return undefined;
  }
}

const written = (table) => Object.entries(table).filter(([english]) => !english.startsWith(SLOT));
const holesOf = (text) => text.match(HOLE) ?? [];
const lettersOf = (text) => text.replace(HOLE, "").length;

/** Return the pattern of a text with holes; a name that comes again must be filled with the same. */
function patternOf(text) {
  const seen = new Set();
  const parts = text.split(HOLE).map((part, i) => {
    if (i % 2 === 0) return part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
    const again = seen.has(part);
    seen.add(part);
    return again ? `\\k<${part}>` : `(?<${part}>.+?)`;
  });
  return new RegExp(`^${parts.join("")}$`);
}
