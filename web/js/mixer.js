/** The panel of the Concept Mixer: a row for every category of the dictionary. */

import { conceptsBehind } from "./concepts.js";
import { make } from "./dom.js";
import { say } from "./language.js";
import { dump, parse, withRow } from "./mix.js";
import { MixerRow } from "./mixer_row.js";

const SEARCH_FROM = 13; // categories from which on there is a search box
const MOST = 468; // pixels of rows that are shown without scrolling
const HEADER = 32;
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
    this.known = null; // {categories, safe}, null before the dictionary is known
    this.prompt = null; // what the last run read
    this.ran = {}; // the rows it was run with
    this.views = new Map(); // category → MixerRow
    this.search = make("input", {
      type: "search", placeholder: say("search"), className: "supsae-search", hidden: true,
      aria: { label: say("search") }, oninput: () => this.filter(),
    });
    this.reset = make("button", { type: "button", onclick: () => this.edit({}) }, say("resetAll"));
    this.fold = make("button", { type: "button", onclick: () => this.foldAll() }, say("foldAll"));
    this.note = make("span", { className: "supsae-note", role: "status" });
    this.list = make("div", { className: "supsae-scroll supsae-rows" });
    this.element = make(
      "section", { className: "supsae-mixer", aria: { label: "Concept Mixer" } },
      make("header", {}, this.search, this.note, this.fold, this.reset), this.list,
    );
    host.listen("supsae.mixer", ({ detail }) => {
      if (host.isMe(detail.node)) this.output({ supsae_mixer: [detail.output] }); // read while a model samples
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
    this.draw();
  }

  height() {
    return HEADER + this.rowsHeight();
  }

  rowsHeight() {
    return Math.min(MOST, [...this.views.values()].reduce((sum, view) => sum + view.height(), 0));
  }

  /** Take what a run says of the prompt. */
  output(data) {
    const found = data?.supsae_mixer?.[0];
    if (!found) return;
    this.prompt = found.prompts?.[0] ?? this.prompt; // on a model it comes later, while that samples
    this.ran = this.rows;
    this.know({ categories: found.categories, safe: found.safe });
  }

  /** Ask anew which concepts there are. */
  async connected() {
    const asked = (this.asked = {});
    try {
      const found = await conceptsBehind(this.host);
      if (this.asked === asked && found) this.know(found);
      this.wrong = "";
    } catch (error) {
      if (this.asked === asked) this.wrong = error.message;
    }
    if (this.asked === asked) this.tell();
  }

  know(known) {
    const same = this.known && JSON.stringify(this.known) === JSON.stringify(known);
    this.known = known;
    if (same) this.update();
    else this.draw();
  }

  /** Change rows and tell the frontend. */
  edit(rows) {
    this.rows = rows;
    this.text = dump(rows);
    this.update();
    this.host.changed();
  }

  set(category, row) {
    this.edit(withRow(this.rows, category, row));
  }

  /** Build the rows anew: of the dictionary's categories, then of those that it does not have. */
  draw() {
    const categories = this.known?.categories ?? [];
    const there = new Set(categories.map((one) => one.name));
    const missing = Object.keys(this.rows).filter((name) => !there.has(name));
    const all = [...categories, ...missing.map((name) => ({ name, concepts: [], missing: Boolean(this.known) }))];
    this.views = new Map(all.map((one) => [one.name, new MixerRow(this, one)]));
    this.list.replaceChildren(...[...this.views.values()].map((view) => view.element));
    this.search.hidden = all.length < SEARCH_FROM;
    this.list.style.flexBasis = `${this.rowsHeight()}px`;
    this.update();
    this.host.resize();
  }

  update() {
    for (const view of this.views.values()) view.update();
    this.reset.disabled = !Object.keys(this.rows).length;
    this.tell();
  }

  tell() {
    const unreadable = parse(this.text) === null;
    const first = this.known ? "" : say("connectDictionary");
    const read = this.prompt ? "" : say("runOnce");
    this.note.textContent = this.wrong || (unreadable ? say("unreadableMix") : first || read);
    this.note.title = this.note.textContent;
    this.note.classList.toggle("supsae-wrong", Boolean(this.wrong || unreadable));
  }

  filter() {
    const wanted = this.search.value.trim().toLowerCase();
    for (const view of this.views.values()) view.element.hidden = !view.matches(wanted);
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
}
