/** One category of the Concept Mixer: what the prompt says, what to say instead, how strongly, or to keep it. */

import { make } from "./dom.js";
import { say, translated } from "./language.js";
import { alike, keyOf, rowOf, switched } from "./mix.js";
import { slider } from "./slider.js";
import { LEFT_OUT, signOf } from "./verdicts.js";
import { whenLine, whenOf, withWhen } from "./when.js";

const OPEN = 52; // pixels, as supsae.css lays a row out
const FOLDED = 26;
const WHEN = 26; // of the line that says when the row acts
const REASON = 18; // pixels of the line that says why an edit did not simply take
const LEAVE = "leave"; // values of the picker; concepts are "say:" and their name, so that none can be mistaken
const NONE = "none";
const ENDS = "ends";
const STATES = ["pictureShowsNot", "pictureStray", "pictureBecame", "pictureShows"]; // of a picture, the worst first

export class MixerRow {
  constructor(mixer, category) {
    this.mixer = mixer;
    this.category = category;
    this.open = true;
    this.caret = make("button", {
      type: "button", className: "supsae-caret", onclick: () => this.toggle(), aria: { expanded: "true" },
    }, category.name);
    this.now = make("span", { className: "supsae-now" });
    this.warning = make("span", { className: "supsae-warning pi pi-exclamation-triangle", role: "img", hidden: true });
    this.verdict = make("span", { className: "supsae-took", role: "img", hidden: true });
    this.reason = make("div", { className: "supsae-reason", role: "status", hidden: true });
    this.picture = make("span", { className: "supsae-picture", role: "img", hidden: true });
    this.eye = make("button", { type: "button", hidden: true, onclick: () => this.toggleOff() });
    this.clock = make("button", { type: "button", hidden: true, onclick: () => this.toggleWhen() });
    this.when = whenLine(category.name, (when) => this.mixer.set(this.category.name, withWhen(this.row, when)));
    this.lock = make("button", { type: "button", className: "supsae-lock", onclick: () => this.toggleLock() });
    this.picker = make("select", { aria: { label: category.name }, onchange: () => this.pick(this.picker.value) });
    this.upper = make("select", { hidden: true, onchange: () => this.pickUpper() });
    this.slider = slider({
      label: say("strengthOf", { category: category.name }), safe: mixer.safe,
      change: (strength) => this.slide(strength), drag: (strength) => this.mixer.drag(() => this.slide(strength)),
    });
    this.element = make(
      "div", { className: "supsae-row", role: "group", aria: { label: category.name } },
      make("div", { className: "supsae-head" }, this.caret, this.now, this.verdict, this.picture, this.warning, this.clock, this.eye, this.lock),
      make("div", { className: "supsae-body" }, this.picker, this.slider.element, this.upper),
      this.when.element, this.reason,
    );
    this.learn(category);
  }

  /** Take what a dictionary says of the category; return the row. */
  learn(category) {
    if (JSON.stringify(category) !== this.learnt) this.fill(category);
    this.learnt = JSON.stringify(category);
    return this;
  }

  get row() {
    return rowOf(this.mixer.rows, this.category.name);
  }

  /** Return the name of the row's concept as the dictionary spells it, or as it is where that has none. */
  get said() {
    const say = this.row?.say;
    return typeof say === "string" ? (keyOf([...this.warnings.keys()], say) ?? say) : null;
  }

  /** Return between which strengths the row's concept was seen to be safe, or the whole dictionary. */
  get safe() {
    return this.safes.get(this.said) ?? this.mixer.safe;
  }

  height() {
    return this.open ? OPEN + (this.reason.hidden ? 0 : REASON) + (this.when.element.hidden ? 0 : WHEN) : FOLDED;
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

  /** Keep the category, or go back to what was wanted of it before. */
  toggleLock() {
    const { row } = this;
    this.mixer.set(this.category.name, row?.keep ? (this.before ?? null) : { keep: true });
    this.before = row?.keep ? null : row;
  }

  /** Show when and where the row acts, or fold that away. */
  toggleWhen() {
    this.showsWhen = this.when.element.hidden;
    this.mixer.update();
    this.mixer.refit();
  }

  /** Switch the row off, or on again with what it was. */
  toggleOff() {
    this.mixer.set(this.category.name, switched(this.row, !this.row.off));
  }

  /** Say the concept more or less; where it is left as it is, what the prompt says. */
  slide(strength) {
    if (this.row?.between) return this.mixer.set(this.category.name, { ...this.row, position: strength });
    const left = this.picker.value === LEAVE;
    const { off, at } = this.row ?? {};
    const more = { ...(off && { off }), ...(at && { at }), ...whenOf(this.row) };
    this.mixer.set(this.category.name, !left ? { ...this.row, strength } : strength === 1 && !at ? null : { scale: strength, ...more });
  }

  pick(chosen) {
    const { at, mention, strength = 1 } = this.row ?? {};
    const more = { ...(at && { at }), ...(mention && chosen !== NONE && { mention }), ...whenOf(this.row) };
    if (chosen === LEAVE) return this.mixer.set(this.category.name, at ? { scale: 1, at } : null);
    if (chosen === ENDS) return this.mixer.set(this.category.name, { between: this.ends(), position: 0, ...whenOf(this.row) });
    if (this.row?.between && chosen !== NONE && chosen.slice(4) !== this.row.between[1]) {
      return this.mixer.set(this.category.name, { ...this.row, between: [chosen.slice(4), this.row.between[1]] });
    }
    this.mixer.set(this.category.name, { say: chosen === NONE ? null : chosen.slice(4), strength, ...more });
  }

  pickUpper() {
    const [lower] = this.row.between;
    this.mixer.set(this.category.name, { ...this.row, between: [lower, this.upper.value] });
  }

  /** Return two concepts for the ends: what is said now, if it is known, and another. */
  ends() {
    const names = this.category.concepts.map((one) => one.name).filter((name) => name !== "none");
    const [now = names[0]] = this.mixer.readings(this.category.name)[0]?.before ?? [];
    const lower = this.said ?? (names.includes(now) ? now : names[0]);
    return [lower, names.find((name) => name !== lower)];
  }

  /** Offer the concepts; "none" only where it was learnt what saying nothing is. */
  fill(category) {
    this.category = category;
    this.warnings = new Map(category.concepts.map((one) => [one.name, one.warning]));
    this.safes = new Map(category.concepts.filter((one) => one.safe).map((one) => [one.name, one.safe]));
    const concepts = category.concepts.map((one) => option(`say:${one.name}`, `${spelled(one)}${one.warning ? " ⚠" : ""}`));
    this.picker.replaceChildren(
      option(LEAVE, say("leave"), say("leaveHelp")),
      ...concepts,
      ...(category.identified === false ? [] : [option(NONE, say("none"), say("noneHelp"))]),
      ...(category.concepts.filter((one) => one.name !== "none").length < 2 ? [] : [option(ENDS, say("ends"), say("endsHelp"))]),
    );
    this.upper.setAttribute("aria-label", say("upperEnd", { category: category.name }));
  }

  /** Show the row as it is in the mixer's value. */
  update() {
    const { row, said } = this;
    const idle = !row || Boolean(row.keep);
    const left = idle || "scale" in row;
    const between = row?.between?.map((end) => keyOf([...this.warnings.keys()], end) ?? end);
    const chosen = left ? LEAVE : between ? `say:${between[0]}` : said === null ? NONE : `say:${said}`;
    if (![...this.picker.options].some((one) => one.value === chosen)) {
      const name = between?.[0] ?? said ?? say("none");
      this.picker.append(option(chosen, this.mixer.known ? say("missing", { name }) : name));
    }
    this.picker.value = chosen;
    this.picker.title = this.picker.selectedOptions[0]?.title ?? "";
    this.picker.disabled = Boolean(row?.keep);
    this.slider.show(row?.position ?? row?.scale ?? row?.strength ?? 1, left || between ? undefined : this.safe, Boolean(row?.keep), Boolean(between));
    this.tellUpper(between);
    this.element.classList.toggle("supsae-active", !idle);
    const name = between ? between.join(" ↔ ") : (said ?? say("none"));
    this.caret.textContent = left ? this.category.name : `${this.category.name}: ${name}`;
    this.caret.setAttribute("aria-label", this.caret.textContent); // without the triangle
    this.tellWhen(row);
    this.tellEye(row);
    this.tellNow(row);
    this.tellVerdict(row);
    this.tellPicture(row);
    this.tellWarning();
    this.tellLock(row);
  }

  /** When and where the row acts, folded away until it is wanted or the row is brought in with it. */
  tellWhen(row) {
    const able = Boolean(row) && !row.keep;
    const own = able && Object.keys(whenOf(row)).length > 0;
    const shown = able && (this.showsWhen ?? own);
    this.clock.hidden = !able;
    this.clock.className = `supsae-clock pi pi-clock${own ? " supsae-own" : ""}`;
    this.clock.title = say("whenHelp");
    this.clock.setAttribute("aria-label", `${this.category.name}: ${say("whenHelp")}`);
    this.clock.setAttribute("aria-expanded", String(shown));
    this.when.element.hidden = !shown;
    this.element.classList.toggle("supsae-timed", shown);
    this.when.show(row);
  }

  /** The upper end's picker, where the row lies between two. */
  tellUpper(between) {
    this.upper.hidden = !between;
    this.element.classList.toggle("supsae-ends", Boolean(between));
    if (!between) return;
    const others = [...this.warnings.keys()].filter((name) => name !== between[0]);
    if (!others.includes(between[1])) others.push(between[1]);
    this.upper.replaceChildren(...others.map((name) => option(name, name)));
    this.upper.value = between[1];
  }

  /** What a reader saw in the picture: whether it shows what was asked, or changed though nobody asked. */
  tellPicture(row) {
    const all = this.isRun(row) ? this.mixer.pictured(this.category.name) : [];
    const states = all.map((seen, i) => ({ seen, i, state: this.stateIn(seen, row) }));
    const [worst] = STATES.map((state) => states.find((one) => one.state === state)).filter(Boolean);
    this.picture.hidden = !worst;
    if (!worst) return;
    const { seen, state, i } = worst;
    const bad = state === "pictureShowsNot" || state === "pictureStray";
    const number = all.length > 1 ? `${i + 1}/${all.length}: ` : "";
    const said = number + say(state, { before: seen.before, after: seen.after });
    this.picture.className = `supsae-picture supsae-took-${bad ? 2 : 0} pi ${bad ? "pi-eye-slash" : "pi-eye"}`;
    this.picture.title = said;
    this.picture.setAttribute("aria-label", `${this.category.name}: ${said}`);
  }

  /** Return which of STATES a picture is in, null where nothing is to be said of it. */
  stateIn(seen, row) {
    const wanted = row && !row.keep && !row.off;
    // A wording that the reader has no value for, such as "golden" of hair, is not judged: it has a name of its own for it.
    const known = seen.values?.some((one) => shows(this.said, one));
    const asked = wanted && known && "say" in row && row.say !== null && row.strength >= 1;
    if (asked) return shows(this.said, seen.after) ? "pictureShows" : "pictureShowsNot";
    return seen.before === seen.after ? null : wanted ? "pictureBecame" : "pictureStray";
  }

  /** Whether the row is switched off, where there is something to switch. */
  tellEye(row) {
    const off = Boolean(row?.off);
    this.eye.hidden = !row || Boolean(row.keep);
    this.element.classList.toggle("supsae-off", off);
    const state = off ? say("rowOff") : say("rowOn");
    this.eye.className = `supsae-eye pi ${off ? "pi-circle" : "pi-circle-fill"}`;
    this.eye.title = state;
    this.eye.setAttribute("aria-pressed", String(!off));
    this.eye.setAttribute("aria-label", `${this.category.name}: ${state}`);
  }

  /** Whether the edit took in the last run, and under it why not. */
  tellVerdict(row) {
    const found = row && !row.keep && !row.off && this.isRun(row) ? this.mixer.verdict(this.category.name) : undefined;
    const { verdict, reason = "" } = found ?? {};
    const shown = Boolean(signOf(verdict));
    const [icon, message, sign] = signOf(verdict) ?? [];
    const said = shown ? say(message) : "";
    const heldBack = shown && verdict !== LEFT_OUT && this.mixer.heldBack(this.category.name) ? say("heldBack") : "";
    const line = heldBack || found?.line || (shown && reason ? `${said}: ${translated(reason)}` : this.beyond(row));
    this.verdict.hidden = !shown;
    this.reason.hidden = !line;
    this.reason.textContent = this.reason.title = line;
    this.element.classList.toggle("supsae-told", Boolean(line));
    if (!shown) return;
    this.verdict.className = `supsae-took ${sign} pi ${icon}`;
    this.verdict.title = line || said;
    this.verdict.setAttribute("aria-label", `${this.category.name}: ${said}`);
  }

  /** Say that a strength lies where none was measured; nothing of others. */
  beyond(row) {
    const [from, to] = this.safe;
    const outside = row && "say" in row && !row.off && this.mixer.known && (row.strength < from || row.strength > to);
    if (!outside) return "";
    const strength = Number(row.strength).toFixed(2);
    if (!this.safes.has(this.said)) return say("outsideRange", { strength, from, to });
    return say("outsideSafe", { strength, from, to, name: this.said });
  }

  /** What the prompt says, and after a run with this very row what it says then. */
  tellNow(row) {
    const all = this.mixer.readings(this.category.name).map((read) => this.change(row, spell(read.before), spell(read.after)));
    const shown = [...new Set(all)].join(" | "); // of several prompts
    this.now.textContent = shown;
    this.now.title = all.length ? say("saysNow", { now: shown }) : "";
  }

  change(row, before, after) {
    if (!this.isRun(row) || row?.off) return before;
    if (row && "scale" in row) return before === say("unmentioned") ? before : `${before} × ${row.scale}`; // nothing to scale
    if (row?.between) return before === after ? `${before} …` : `${before} → ${after}`;
    const wanted = this.said ?? say("unmentioned");
    const between = row && !row.keep && row.strength > 0 && row.strength < 1 && after !== wanted;
    if (between) return `${before} … ${wanted}`;
    return before === after ? before : `${before} → ${after}`;
  }

  /** Tell whether the last run was made with the row as it is. */
  isRun(row) {
    return alike(row, rowOf(this.mixer.ran, this.category.name));
  }

  tellWarning() {
    const { said } = this;
    const unknown = this.category.missing || (said !== null && this.mixer.known && !this.warnings.has(said));
    const reason = unknown
      ? say("missingReason", { name: said ?? this.category.name })
      : (said !== null && translated(this.warnings.get(said))) || "";
    this.warning.hidden = !reason;
    this.warning.title = reason;
    this.warning.setAttribute("aria-label", reason);
  }

  tellLock(row) {
    const kept = Boolean(row?.keep);
    const held = kept && this.isRun(row) ? this.mixer.held(this.category.name) : undefined;
    const state = !kept ? "lockOff" : held === undefined ? "lockOn" : held ? "lockHeld" : "lockLost";
    this.lock.className = `supsae-lock supsae-${state} pi ${kept ? "pi-lock" : "pi-lock-open"}`;
    this.lock.setAttribute("aria-pressed", String(kept));
    this.lock.title = say(state);
    this.lock.setAttribute("aria-label", `${this.category.name}: ${say(state)}`);
  }
}

/** Tell whether a concept's name is what a reader calls it: "red hair" and "red", "no glasses" and "none". */
function shows(name, seen) {
  const words = (name ?? "").toLowerCase().split(/[^\p{L}\p{N}]+/u).filter(Boolean);
  if (["no", "none", "without"].includes(words[0])) return seen === "none";
  return ` ${words.join(" ")} `.includes(` ${seen} `);
}

/** Name a concept; "none" by its words too, such as "no hat", for the picker has another way to say nothing. */
function spelled({ name, says }) {
  return name === "none" && says ? `${name} (${says})` : name;
}

function spell(names) {
  return names?.length ? names.join(", ") : say("unmentioned");
}

function option(value, text, title = "") {
  return Object.assign(document.createElement("option"), { value, textContent: text, title });
}
