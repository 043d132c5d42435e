/**
 * Python's sentences in another language: a line is matched by templates with {holes}, and what a hole holds in turn.
 *
 * A hole whose name ends in _n holds a number. A key such as "verb|add" is a word that means this in the hole {verb} alone,
 * "cell|both" one that does as a whole text. What no template knows, such as the names of concepts, stays as it is.
 */

const HOLE = /\{(\w+)\}/g;
const NUMBER = "[-+−]?(?:[\\d.,]+(?:e[-+]?\\d+)?|inf|nan) ?%?";
const JOINT = /(?<=[.?!]) |; |: |, | {2,}| followed by | (?=[\d.]+%)/g; // where a line may consist of pieces that are known each
const WIDE = /[\u3000-\u9fff\uff00-\uff60]/;
const LONGEST = 2000; // letters of a line; no sentence is longer
const MOST = 4000; // pieces that are remembered
const JOINTS = 24; // of one piece that are tried: a list of names may have hundreds

export class Sentences {
  /** Take English template → template of the other language, among them the joints "; ", ": " and ", ". */
  constructor(table) {
    this.table = table;
    this.templates = Object.entries(table).filter(([english]) => english.includes("{")).map(compiled);
    this.parts = Object.keys(table).map((english) => longest(english.split(/\{\w+\}/))).filter((part) => letters(part));
    this.found = new Map(); // piece → what came of it
  }

  /** Return a text in the other language, line by line. */
  translated(text) {
    const cell = this.table[`cell|${text}`];
    if (cell !== undefined) return cell;
    return text.split("\n").map((line) => (line.length > LONGEST ? line : this.piece(line).text)).join("\n");
  }

  /** Return {text, known, torn, start}: letters that were known, joints of which only one side was, where it begins. */
  piece(text) {
    const whole = text.trim().replace(/:$/, "");
    if (whole !== text) return this.around(this.piece(whole), text, whole);
    let found = this.found.get(text);
    if (!found) {
      if (this.found.size > MOST) this.found.clear();
      this.found.set(text, (found = this.search(text)));
    }
    return found;
  }

  search(text) {
    const unknown = { text, known: 0, torn: 0, start: 0 };
    if (!this.parts.some((part) => text.includes(part))) return unknown;
    if (Object.hasOwn(this.table, text)) return { text: this.table[text], known: letters(text), torn: 0, start: 0 };
    let best = unknown;
    for (const one of [...this.filled(text), ...this.joined(text)]) if (better(one, best)) best = one;
    return best;
  }

  /** Return what a word means in one hole alone, where elsewhere it may be a name; undefined if it has no such meaning. */
  word(hole, text) {
    const own = this.table[`${hole}|${text}`];
    return own === undefined ? undefined : { text: own, known: letters(text), torn: 0, start: 0 };
  }

  /** Yield what comes of the templates that match. */
  *filled(text) {
    for (const { own, holes, known, part, first, pattern } of this.templates) {
      const match = text.includes(part) && pattern.exec(text);
      if (!match) continue;
      const pieces = new Map(holes.map((name, i) => [name, this.word(name, match[i + 1]) ?? this.piece(match[i + 1])]));
      yield sum(filledIn(own, pieces), [...pieces.values()], { known, start: first ? 0 : match[1].length });
    }
  }

  /** Yield what comes of taking the text apart at a joint. */
  *joined(text) {
    for (const { 0: joint, index } of [...text.matchAll(JOINT)].slice(0, JOINTS)) {
      const [left, right] = [this.piece(text.slice(0, index)), this.piece(text.slice(index + joint.length))];
      if (!left.known && !right.known) continue;
      const torn = left.known && right.known ? 0 : 1;
      yield sum(left.text + this.joint(joint, left.text) + right.text, [left, right], { torn, start: index });
    }
  }

  /** Put back what stood around a piece: blanks, but before a wide bracket, which brings its own, and a colon. */
  around(found, text, whole) {
    const [before, after] = [text.slice(0, text.indexOf(whole)), text.slice(text.indexOf(whole) + whole.length)];
    const end = found.known ? after.replace(":", this.table[": "] ?? ":") : after;
    return { ...found, text: (/^（/.test(found.text) ? "" : before) + found.text + end };
  }

  joint(joint, left) {
    if (joint === " ") return /[。？！]$/.test(left) ? "" : joint; // sentences stand close where their ends are wide
    return this.table[joint] ?? this.table[joint.trim()] ?? joint;
  }
}

function compiled([english, own]) {
  const holes = [...english.matchAll(HOLE)].map(([, name]) => name);
  const parts = english.split(/\{\w+\}/);
  const body = parts.map(escaped).reduce((made, part, i) => `${made}(${/_n\d*$/.test(holes[i - 1]) ? NUMBER : ".*?"})${part}`);
  return { own, holes, pattern: new RegExp(`^${body}$`), part: longest(parts), first: parts[0], known: letters(parts.join("")) };
}

/** Put pieces into their holes; the blanks around a hole, which set names apart, go beside wide letters. */
function filledIn(own, pieces) {
  return own.replace(/( ?)\{(\w+)\}( (?!\{))?/g, (_, before, name, after = "") => {
    const { text, known } = pieces.get(name);
    return (known && WIDE.test(text[0]) ? "" : before) + text + (known && WIDE.test(text.at(-1)) ? "" : after);
  });
}

function sum(text, pieces, { known = 0, torn = 0, start }) {
  const total = (key) => pieces.reduce((all, one) => all + one[key], 0);
  return { text, known: known + total("known"), torn: torn + total("torn"), start };
}

/** Compare two readings: who knows more, tears less, and begins earlier: a place in front of a line is no part of it. */
const better = (one, other) => (one.known - other.known || other.torn - one.torn || other.start - one.start) > 0;
const longest = (parts) => parts.reduce((one, other) => (other.length > one.length ? other : one));
const letters = (text) => (text.match(/[A-Za-z]/g) ?? []).length;
const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
