/** One category of the Concept Mixer: what the prompt says, what to say instead, how strongly, or to keep it. */

import { make } from "./dom.js";
import { say } from "./language.js";
import { slider } from "./slider.js";

const OPEN = 52; // pixels, as supsae.css lays a row out
const FOLDED = 26;
const LEAVE = "leave"; // values of the picker; concepts are "say:" and their name, so that none can be mistaken
const NONE = "none";

export class MixerRow {
  constructor(mixer, category) {
    this.mixer = mixer;
    this.category = category;
    this.open = true;
    this.warnings = new Map(category.concepts.map((one) => [one.name, one.warning]));
    this.caret = make("button", {
      type: "button", className: "supsae-caret", onclick: () => this.toggle(), aria: { expanded: "true" },
    }, category.name);
    this.now = make("span", { className: "supsae-now" });
    this.warning = make("span", { className: "supsae-warning pi pi-exclamation-triangle", role: "img", hidden: true });
    this.lock = make("button", { type: "button", className: "supsae-lock", onclick: () => this.toggleLock() });
    this.picker = make("select", { aria: { label: category.name }, onchange: () => this.pick(this.picker.value) });
    this.slider = slider({
      label: say("strengthOf", { category: category.name }), safe: mixer.safe,
      change: (strength) => this.mixer.set(category.name, { ...this.row, strength }),
    });
    this.element = make(
      "div", { className: "supsae-row", role: "group", aria: { label: category.name } },
      make("div", { className: "supsae-head" }, this.caret, this.now, this.warning, this.lock),
      make("div", { className: "supsae-body" }, this.picker, this.slider.element),
    );
    this.fill();
  }

  get row() {
    return this.mixer.rows[this.category.name];
  }

  height() {
    return this.open ? OPEN : FOLDED;
  }

  /** Tell whether the row has to do with a search. */
  matches(wanted) {
    const names = [this.category.name, ...this.category.concepts.map((one) => one.name)];
    return names.some((name) => name.toLowerCase().includes(wanted));
  }

  toggle() {
    this.unfold(!this.open);
    this.mixer.refit();
  }

  unfold(open) {
    this.open = open;
    this.element.classList.toggle("supsae-folded", !open);
    this.caret.setAttribute("aria-expanded", String(open));
  }

  toggleLock() {
    this.mixer.set(this.category.name, this.row?.keep ? null : { keep: true });
  }

  pick(chosen) {
    if (chosen === LEAVE) return this.mixer.set(this.category.name, null);
    const strength = this.row?.strength ?? 1;
    this.mixer.set(this.category.name, { say: chosen === NONE ? null : chosen.slice(4), strength });
  }

  /** Offer the concepts; "none" only where it was learnt what saying nothing is. */
  fill() {
    const concepts = this.category.concepts.map((one) => option(`say:${one.name}`, one.warning ? `${one.name} ⚠` : one.name));
    this.picker.replaceChildren(
      option(LEAVE, say("leave")),
      ...concepts,
      ...(this.category.identified === false ? [] : [option(NONE, say("none"))]),
    );
  }

  /** Show the row as it is in the mixer's value. */
  update() {
    const row = this.row;
    const chosen = !row || row.keep ? LEAVE : row.say == null ? NONE : `say:${row.say}`;
    if (![...this.picker.options].some((one) => one.value === chosen)) {
      const name = row?.say ?? say("none");
      const text = this.mixer.known ? say("missing", { name }) : name;
      this.picker.append(Object.assign(option(chosen, text), { className: "supsae-wrong" }));
    }
    this.picker.value = chosen;
    const idle = !row || Boolean(row.keep);
    this.picker.disabled = Boolean(row?.keep);
    this.slider.show(row?.strength ?? 1, this.mixer.safe, idle);
    this.element.classList.toggle("supsae-active", !idle);
    this.caret.textContent = idle ? this.category.name : `${this.category.name}: ${row.say ?? say("none")}`;
    this.caret.setAttribute("aria-label", this.caret.textContent); // without the triangle
    this.tellNow(row);
    this.tellWarning(row);
    this.tellLock(row);
  }

  /** What the prompt says, and after a run with this very row what it says then. */
  tellNow(row) {
    const prompt = this.mixer.prompt;
    const before = spell(prompt?.before?.[this.category.name]);
    const after = this.isRun(row) ? spell(prompt?.after?.[this.category.name]) : before;
    const between = row && !row.keep && row.strength > 0 && row.strength < 1 && after !== row.say;
    const shown = between && this.isRun(row) ? `${before} … ${row.say ?? say("unmentioned")}` : before === after ? before : `${before} → ${after}`;
    this.now.textContent = prompt ? shown : "";
    this.now.title = prompt ? say("saysNow", { now: shown }) : "";
  }

  /** Tell whether the last run was made with the row as it is. */
  isRun(row) {
    return JSON.stringify(row) === JSON.stringify(this.mixer.ran[this.category.name]);
  }

  tellWarning(row) {
    const unknown = this.category.missing || (row?.say && this.mixer.known && !this.warnings.has(row.say));
    const reason = unknown
      ? say("missingReason", { name: row?.say ?? this.category.name })
      : (row?.say && this.warnings.get(row.say)) || "";
    this.warning.hidden = !reason;
    this.warning.title = reason;
    this.warning.setAttribute("aria-label", reason);
  }

  tellLock(row) {
    const kept = Boolean(row?.keep);
    const held = kept && this.isRun(row) ? this.mixer.prompt?.held?.[this.category.name] : undefined;
    const state = !kept ? "lockOff" : held === undefined ? "lockOn" : held ? "lockHeld" : "lockLost";
    this.lock.className = `supsae-lock supsae-${state} pi ${kept ? "pi-lock" : "pi-lock-open"}`;
    this.lock.setAttribute("aria-pressed", String(kept));
    this.lock.title = say(state);
    this.lock.setAttribute("aria-label", `${this.category.name}: ${say(state)}`);
  }
}

function spell(names) {
  return names?.length ? names.join(", ") : say("unmentioned");
}

function option(value, text) {
  return Object.assign(document.createElement("option"), { value, textContent: text });
}
