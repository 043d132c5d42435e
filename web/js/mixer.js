/** The panel of the Concept Mixer: a row for every category of the dictionary. */

import { COMPARED } from "./compare.js";
import { conceptsBehind } from "./concepts.js";
import { make } from "./dom.js";
import { chooseFile, Fitting } from "./fitting.js";
import { LOCKED } from "./locked.js";
import { say, translated } from "./language.js";
import { Live } from "./live.js";
import { dump, holds, keyOf, own, parse, rowOf, switched, taughtRow, withRow } from "./mix.js";
import { MixerRow } from "./mixer_row.js";
import { Presets } from "./presets.js";
import { together, verdictOf, withRun } from "./several.js";
import { LEFT_OUT } from "./verdicts.js";
import { Words } from "./words.js";

const SEARCH_FROM = 13; // categories from which on there is a search box
const MOST = 468; // pixels of rows that are shown without scrolling
const HEADER = 32;
const WIDTH = 440;
const LEGAL = [0, 1.5];

/** Make the panel of one node. */
export function mixerPanel(host) {
  return new Mixer(host);
}

class Mixer {
  constructor(host) {
    this.host = host;
    this.text = "{}";
    this.rows = {};
    this.hold = true; // whether a Lock holds the rest of the picture
    this.known = null; // {categories, safe}, null before the dictionary is known
    this.prompts = []; // what the last run read
    this.ran = {}; // the rows that it was run with
    this.seen = []; // what a reader saw in each picture of the last run
    this.shares = []; // what a Lock let through of it
    this.leftOut = {}; // category → why its row was not made
    this.views = new Map(); // category → MixerRow
    const { size } = host.shown ?? {}; // of a new node; a saved one gets its own back
    if (size) host.shown.size = [Math.max(size[0], WIDTH), size[1]];
    this.search = make("input", {
      type: "search", placeholder: say("search"), className: "supsae-search", hidden: true,
      aria: { label: say("search") }, oninput: () => this.filter(),
    });
    this.reset = make("button", { type: "button", onclick: () => this.edit({}) }, say("resetAll"));
    this.compare = make("button", { type: "button", title: say("allOffHelp"), onclick: () => this.switchAll() }, say("allOff"));
    this.fold = make("button", {
      type: "button", className: "pi pi-bars", title: say("foldAll"), aria: { label: say("foldAll") }, onclick: () => this.foldAll(),
    });
    this.note = make("span", { className: "supsae-note", role: "status" });
    this.holder = make("input", { type: "checkbox", onchange: () => this.edit(this.rows, this.holder.checked) });
    this.holding = make("label", { className: "supsae-hold", title: say("holdHelp"), hidden: true }, this.holder, say("hold"));
    this.live = new Live(host, () => this.text);
    this.list = make("div", { className: "supsae-scroll supsae-rows" });
    this.words = new Words(this);
    this.presets = new Presets(this);
    this.outside = host.shown !== host.node; // on a subgraph: no loader's panel says for whom the file is
    this.fitting = new Fitting(host, this.outside ? (name) => chooseFile(host, host.source("dictionary"), name) : undefined);
    this.element = make(
      "section", { className: "supsae-mixer", aria: { label: "Concept Mixer" } },
      make("header", {}, this.search, this.note, this.live.element, this.holding, this.presets.button, this.compare, this.fold, this.reset),
      this.presets.element, this.fitting.element, this.words.element, this.list,
    );
    this.heard = []; // while a model samples, once a prompt of a list
    host.listen("execution_start", () => (this.heard = this.seen = this.shares = [])); // what is cached comes in any order
    host.listen("supsae.mixer", ({ detail }) => {
      if (host.isMe(detail.node)) this.output({ supsae_mixer: (this.heard = withRun(this.heard, detail.output)) });
    });
    host.listen(COMPARED, ({ detail }) => {
      this.seen = detail.pictures; // in the pictures of this workflow
      this.update();
    });
    host.listen(LOCKED, ({ detail }) => {
      this.shares = detail.edits;
      this.update();
    });
    this.draw();
  }

  get value() {
    return this.text;
  }

  /** Take the text of a workflow; a text that cannot be read stays what it is until a row is moved. */
  set value(text) {
    if (text === this.text) return;
    this.text = text;
    this.rows = parse(text) ?? {};
    this.hold = holds(text);
    this.draw();
  }

  height() {
    return HEADER + this.presets.height() + this.fitting.height(this.width()) + this.words.height() + this.rowsHeight();
  }

  rowsHeight() {
    return Math.min(MOST, [...this.views.values()].reduce((sum, view) => sum + view.height(), 0));
  }

  /** Take what a run says of the prompt; of a model it says so later, while that samples. */
  output(data) {
    const found = together(data?.supsae_mixer ?? []);
    if (!found) return;
    if (found.prompts?.length || !this.host.source("model")) {
      this.prompts = found.prompts ?? [];
      this.ran = found.mix ?? {};
      this.leftOut = found.left_out ?? {};
      this.words.take(this.prompts.length === 1 ? this.prompts[0].words : []);
    }
    this.know({ categories: found.categories, safe: found.safe });
  }

  /** Ask anew which concepts there are; those of another dictionary are forgotten. */
  async connected() {
    const asked = (this.asked = {});
    const source = this.host.source("dictionary");
    let found = null;
    this.wrong = "";
    try {
      found = await conceptsBehind(this.host);
    } catch (error) {
      this.wrong = translated(error.message);
    }
    if (this.asked !== asked) return;
    const other = this.source !== undefined && this.source !== source;
    this.source = source;
    if (found) this.know({ categories: found.categories, safe: found.safe });
    else if (other || !source) this.know(null);
    this.tell();
    if (await this.fitting.show(found?.family, [this.host.node], this.outside)) this.host.resize();
  }

  know(known) {
    if (!known) {
      this.prompts = [];
      this.words.take([]);
    }
    if (JSON.stringify(this.known) === JSON.stringify(known)) return this.update();
    this.known = known;
    this.draw();
  }

  /** Change rows and tell the frontend. */
  edit(rows, hold = this.hold) {
    this.rows = rows;
    this.hold = hold;
    this.text = dump(rows, hold);
    this.update();
    if (this.dragging) this.host.write();
    else this.host.changed();
    this.live.moved();
  }

  /** Take a row that is still being moved, where it is drawn meanwhile. */
  drag(move) {
    if (!this.live.on) return;
    this.dragging = true;
    move();
    this.dragging = false;
  }

  set(category, row) {
    this.edit(withRow(this.rows, category, row));
  }

  /** Say which words of the prompt speak of a category; null takes that back. */
  teach(category, words) {
    this.set(category, taughtRow(rowOf(this.rows, category), words));
  }

  /** Return the number of a category among the dictionary's. */
  number(category) {
    return Math.max(0, (this.known?.categories ?? []).findIndex((one) => keyOf([one.name], category) !== undefined));
  }

  /** Return how wide the panel is, in pixels. */
  width() {
    return this.element.clientWidth || WIDTH;
  }

  /** Show a row for each of the dictionary's categories, then those that it lacks; rows that stay keep the focus. */
  draw() {
    const categories = this.known?.categories ?? [];
    const there = categories.map((one) => one.name);
    const missing = Object.keys(this.rows).filter((name) => keyOf(there, name) === undefined);
    const all = [...categories, ...missing.map((name) => ({ name, concepts: [], missing: Boolean(this.known) }))];
    this.views = new Map(all.map((one) => [one.name, this.views.get(one.name)?.learn(one) ?? new MixerRow(this, one)]));
    const elements = [...this.views.values()].map((view) => view.element);
    const same = elements.length === this.list.children.length && elements.every((one, i) => one === this.list.children[i]);
    if (!same) this.list.replaceChildren(...elements);
    this.search.hidden = all.length < SEARCH_FROM;
    this.list.style.flexBasis = `${this.rowsHeight()}px`;
    this.filter();
    this.update();
    this.host.resize();
  }

  update() {
    for (const view of this.views.values()) view.update();
    this.words.update();
    this.list.style.flexBasis = `${this.rowsHeight()}px`;
    this.compare.disabled = !Object.values(this.rows).some((row) => !row.keep);
    this.reset.disabled = !Object.keys(this.rows).length;
    this.holding.hidden = !this.host.has("Lock");
    this.holder.checked = this.hold;
    this.tell();
  }

  tell() {
    const unreadable = parse(this.text) === null;
    const first = this.known ? "" : say(this.host.source("dictionary") ? "runToLearn" : "connectDictionary");
    const read = this.prompts.length ? "" : say("runOnce");
    this.note.textContent = this.wrong || (unreadable ? say("unreadableMix") : first || read);
    this.note.title = this.note.textContent;
    this.note.classList.toggle("supsae-wrong", Boolean(this.wrong || unreadable));
  }

  filter() {
    const wanted = this.search.hidden ? "" : this.search.value.trim().toLowerCase();
    for (const view of this.views.values()) view.element.hidden = !view.matches(wanted);
  }

  /** Switch all rows off, or on again if none is on: before and after, with one press. */
  switchAll() {
    const some = Object.values(this.rows).some((row) => !row.keep && !row.off);
    this.edit(Object.fromEntries(Object.entries(this.rows).map(([name, row]) => [name, row.keep ? row : switched(row, some)])));
  }

  foldAll() {
    const open = [...this.views.values()].some((view) => view.open);
    for (const view of this.views.values()) view.unfold(!open);
    this.refit();
  }

  /** After rows were folded or unfolded. */
  refit() {
    this.list.style.flexBasis = `${this.rowsHeight()}px`;
    this.host.fit();
  }

  get safe() {
    return this.known?.safe ?? LEGAL;
  }

  /** Return what the last run read of a category, {before, after} a prompt; nothing before a run. */
  readings(category) {
    return this.prompts.map((one) => ({ before: own(one.before, category), after: own(one.after, category) }));
  }

  /** Return what became of a row in the last run: {verdict, reason}, of several prompts {verdict, line} where some did not. */
  verdict(category) {
    const left = rowOf(this.leftOut, category);
    if (left) return { verdict: LEFT_OUT, reason: left };
    if (this.prompts.length > 1) return verdictOf(this.prompts, category);
    return this.prompts.map((one) => own(one.verdicts, category)).find(Boolean);
  }

  /** Return what a reader saw of a category, {before, after, values} a picture; nothing where there is none. */
  pictured(category) {
    return this.seen.map((some) => some.find((one) => keyOf([one.category], category) !== undefined)).filter(Boolean);
  }

  /** Tell whether a Lock let nothing of a category's edit through in the last run. */
  heldBack(category) {
    return this.shares.some((one) => keyOf([one.category], category) !== undefined && one.share === 0);
  }

  /** Tell whether a kept category read the same in every prompt of the last run; undefined if it did not say. */
  held(category) {
    const said = this.prompts.map((one) => own(one.held, category)).filter((one) => one !== undefined);
    return said.length ? said.every(Boolean) : undefined;
  }
}
