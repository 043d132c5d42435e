/** The prompt above a mixer's rows: what the dictionary read in it is underlined, what it may mean is asked. */

import { make } from "./dom.js";
import { say } from "./language.js";
import { keyOf, meantRow, rowOf } from "./mix.js";

const LINE = 19; // pixels of a line of text, as supsae.css lays it out
const MOST = 4; // lines that are shown without scrolling
const CHARACTER = 6.2; // pixels, about
const HUES = 47; // degrees between the colours of two categories

/** Make the strip of one mixer. */
export class Words {
  constructor(mixer) {
    this.mixer = mixer;
    this.pieces = [];
    this.element = make("p", { className: "supsae-words supsae-scroll", hidden: true, aria: { label: say("promptWords") } });
  }

  /** Take the pieces of a run: [{text, category, concept, how}]. */
  take(pieces) {
    this.pieces = pieces ?? [];
    this.update();
  }

  /** Lines are guessed from the width: the panel's height is asked for before it is laid out. */
  height() {
    if (this.element.hidden) return 0;
    const letters = this.pieces.reduce((sum, piece) => sum + piece.text.length + 1, 0);
    return 7 + LINE * Math.min(MOST, Math.ceil((letters * CHARACTER) / this.mixer.width()));
  }

  /** Show the pieces as they are now; where nothing changed a pressed button and the focus stay. */
  update() {
    const shown = this.pieces.some((piece) => piece.category);
    const now = JSON.stringify(this.pieces.map((piece) => [piece, rowOf(this.mixer.rows, piece.category ?? "")]));
    if (now === this.now) return;
    this.now = now;
    const focused = [...this.element.children].indexOf(document.activeElement);
    this.element.hidden = !shown;
    this.element.style.flexBasis = `${this.height()}px`;
    this.element.replaceChildren(...(shown ? this.pieces.flatMap((piece) => [this.show(piece), " "]) : []));
    this.element.children[focused]?.focus();
  }

  show(piece) {
    const { text, category, how } = piece;
    if (!category) return text;
    const row = rowOf(this.mixer.rows, category);
    const taught = row?.at !== undefined && keyOf([row.at], bare(text)) !== undefined;
    if (how === "said" && !taught) return this.colour(this.said(piece, row), category);
    const message = taught ? "wordTaught" : "wordAsk";
    const title = say(message, { ...piece, text: bare(text) });
    const button = make("button", {
      type: "button", className: `supsae-word supsae-word-${taught ? "taught" : "asked"}`, title, disabled: Boolean(row?.keep),
      aria: { label: title, pressed: String(taught) }, onclick: () => this.mixer.teach(category, taught ? null : bare(text)),
    }, taught ? text : `${text}?`);
    return this.colour(button, category);
  }

  /** Words that were read; where a category is read of several times, buttons that say which mention a row means. */
  said(piece, row) {
    const { text, category, concept } = piece;
    const mentions = this.pieces.filter((one) => one.how === "said" && one.category === category);
    const title = `${category}: ${concept}`;
    if (mentions.length < 2) return make("span", { className: "supsae-word", title }, text);
    const number = mentions.indexOf(piece) + 1;
    const meant = row?.mention === number;
    const possible = typeof row?.say === "string";
    const message = say(!possible ? "mentionFirst" : meant ? "mentionMeant" : "mentionAsk", { category, number });
    return make("button", {
      type: "button", className: `supsae-word ${meant ? "supsae-word-taught" : ""}`, title: `${title}. ${message}`, disabled: !possible,
      aria: { label: `${text}. ${message}`, pressed: String(meant) },
      onclick: () => this.mixer.set(category, meantRow(row, meant ? 0 : number)),
    }, text);
  }

  colour(element, category) {
    element.style.setProperty("--hue", `${this.mixer.number(category) * HUES}deg`);
    return element;
  }
}

/** Words without the marks behind them, as a mix names them. */
const bare = (text) => text.replace(/[\s.,;:!?]+$/u, "");
