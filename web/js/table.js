/** Below a Concept Table: what is wrong with the text while it is typed, how much it can draw, and pasting of lists. */

import { make } from "./dom.js";
import { language, say, translated } from "./language.js";
import { later, measured, watchWidget } from "./measured.js";
import { tokenizerBehind } from "./tokenizer.js";

const SHOWN = 4; // phrases that cannot be spelled

export function tablePanel(host) {
  return new TablePanel(host);
}

class TablePanel {
  constructor(host) {
    this.host = host;
    this.verdict = make("span", { className: "supsae-verdictText" });
    this.place = make("button", { type: "button", className: "supsae-place", hidden: true, onclick: () => this.go() });
    this.spelling = make("ul", { className: "supsae-spelling", hidden: true });
    this.open = make("button", { type: "button", onclick: () => this.unfold(true) }, say("pasteList"));
    this.pasted = make("textarea", { className: "supsae-paste", rows: 6, placeholder: say("pasteHint"), aria: { label: say("pasteList") } });
    this.wrong = make("div", { className: "supsae-wrong", role: "alert", hidden: true });
    this.sorting = make("div", { className: "supsae-sorting", role: "group", hidden: true });
    this.form = make(
      "div", { className: "supsae-form", hidden: true }, this.pasted, this.wrong, this.sorting,
      make("div", { className: "supsae-buttons" },
        make("button", { type: "button", className: "supsae-main", onclick: () => this.add() }, say("pasteAdd")),
        make("button", { type: "button", onclick: () => this.unfold(false) }, say("cancel"))),
    );
    this.note = make("div", { className: "supsae-pale", role: "status", hidden: true });
    const line = make("div", { className: "supsae-line" }, make("div", { className: "supsae-said", role: "status" }, this.verdict, " ", this.place), this.open);
    this.body = make("div", { className: "supsae-table" }, line, this.spelling, this.note, this.form);
    const panel = measured(host, this.body, { width: 400, tall: 460 });
    this.element = panel.element;
    this.height = panel.height;
    this.stop = panel.dispose;
    this.check = later(() => this.ask());
    watchWidget(host, "text", () => this.check());
    watchWidget(host, "file", () => this.check());
    this.pasted.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.unfold(false);
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
        event.stopPropagation();
        this.add();
      }
    });
    this.check();
  }

  /** The graph changed; the text may be another after undo, the tokenizer after a new link. */
  connected() {
    if (this.checked !== this.question()) this.check();
  }

  dispose() {
    this.stop();
    this.check.cancel();
    this.asked = null;
  }

  get text() {
    return this.host.widget("text")?.value ?? "";
  }

  get file() {
    return (this.host.widget("file")?.value ?? "").trim();
  }

  question() {
    return JSON.stringify([this.text, this.file, tokenizerBehind(this.host)]);
  }

  async ask() {
    const asked = (this.asked = {});
    const { file } = this;
    this.checked = this.question();
    this.note.textContent = file ? say("fileInstead", { file }) : "";
    this.note.hidden = !file;
    try {
      const found = await this.host.ask("table/check", { text: this.text, tokenizer: tokenizerBehind(this.host) });
      if (this.asked === asked) this.show(found);
    } catch (error) {
      if (this.asked === asked) this.show({ error: { message: error.message } });
    }
  }

  /** Show what the server says of the text. */
  show({ error, unspellable = [], sorted = "", ...counts }) {
    this.verdict.className = error ? "supsae-wrong" : "supsae-fine";
    this.verdict.textContent = error ? translated(error.message) : say("tableHolds", { ...counts, prompts: many(counts) });
    if (sorted) this.verdict.append(make("div", {}, say("tableSorted", { sorted })));
    this.error = error?.line ? error : null;
    this.place.hidden = !this.error;
    if (this.error) this.place.textContent = say("goTo", error);
    const shown = unspellable.slice(0, SHOWN).map((one) => make("li", {}, make("b", {}, one.phrase), ` – ${one.encoder}: ${translated(one.why)}`));
    const more = unspellable.length - shown.length;
    this.spelling.replaceChildren(...shown, ...(more > 0 ? [make("li", {}, say("andMore", { count: more }))] : []));
    this.spelling.hidden = !shown.length;
    this.host.redraw();
  }

  /** Put the cursor where the error is. */
  go() {
    const area = this.area();
    if (!area || !this.error) return;
    const lines = area.value.split("\n");
    const before = lines.slice(0, this.error.line - 1).reduce((sum, one) => sum + one.length + 1, 0);
    const column = [...(lines[this.error.line - 1] ?? "")].slice(0, this.error.column - 1).join("").length;
    area.focus();
    area.setSelectionRange(before + column, before + column);
    const height = area.scrollHeight / Math.max(1, lines.length);
    area.scrollTop = Math.max(0, (this.error.line - 3) * height);
  }

  /** Return the element that the text is typed into. */
  area() {
    const own = this.host.widget("text")?.element;
    if (own?.isConnected && own.offsetWidth) return own;
    return this.element.closest("[data-node-id]")?.querySelector("textarea:not(.supsae-paste)") ?? null;
  }

  unfold(open) {
    this.form.hidden = !open;
    this.open.hidden = open;
    this.wrong.hidden = this.sorting.hidden = true;
    if (open) this.pasted.focus();
    else this.pasted.value = "";
  }

  /** Add the list; where several phrases stand under no heading, ask first whether two of them can be true at once. */
  async add(apart) {
    try {
      const { text } = this;
      const made = await this.host.ask("table/import", { text: this.pasted.value, table: text, apart: apart ? "yes" : "" });
      if (text !== this.text) return this.add(apart); // typed meanwhile
      if (!made.ok) throw new Error(made.error);
      if (made.loose > 1 && apart === undefined) return this.sort(made.loose);
      if (made.added) this.write(made.text);
      this.unfold(false);
      this.host.toast(made.added ? "success" : "info", say("pasteList"), say(made.added ? "pasteAdded" : "pasteKnown", { count: made.added }));
    } catch (error) {
      this.wrong.textContent = translated(error.message);
      this.wrong.hidden = false;
    }
  }

  sort(count) {
    const answer = (key, apart) => make("button", { type: "button", onclick: () => this.add(apart) }, say(key));
    this.sorting.replaceChildren(
      make("div", { role: "status" }, say("pasteSort", { count })),
      make("div", { className: "supsae-buttons" }, answer("pasteOne", false), answer("pasteApart", true)),
    );
    this.sorting.hidden = false;
    this.sorting.querySelector("button").focus();
    this.host.redraw();
  }

  write(text) {
    const widget = this.host.widget("text");
    widget.value = text;
    widget.callback?.(text);
    this.host.changed();
  }
}

/** Say a large number as a person does. */
function many({ prompt_count: count = 0, prompts }) {
  if (count < 1000 || count > 1e15) return prompts;
  const short = new Intl.NumberFormat(language(), { notation: "compact", compactDisplay: "long", maximumSignificantDigits: 2 });
  return say("about", { number: short.format(count) });
}
