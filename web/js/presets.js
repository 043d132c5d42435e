/** Presets of a Concept Mixer: save a mix under a name, take one whole or part of the way, give it away as a file. */

import { blended } from "./blend.js";
import { make } from "./dom.js";
import { say } from "./language.js";
import { dump, parse } from "./mix.js";
import { presetName, presetNames, readPreset, removePreset, writePreset } from "./user_files.js";

const LINE = 30; // pixels

export class Presets {
  constructor(mixer) {
    this.mixer = mixer;
    this.from = null; // the rows before a preset was taken part of the way
    this.button = make("button", { type: "button", title: say("presetsHelp"), aria: { expanded: "false" }, onclick: () => this.toggle() }, say("presets"));
    this.choice = make("select", { aria: { label: say("presets") }, onchange: () => this.choose() });
    this.amount = make("input", {
      type: "range", min: 0, max: 1, step: 0.05, value: 1, title: say("presetAmountHelp"), disabled: true,
      aria: { label: say("presetAmount") }, onchange: () => this.blend(),
    });
    this.name = make("input", { type: "text", placeholder: say("presetName"), maxLength: 60, aria: { label: say("presetName") } });
    this.name.addEventListener("keydown", (event) => event.key === "Enter" && this.save());
    this.file = make("input", { type: "file", accept: ".json", hidden: true, onchange: () => this.bring() });
    this.element = make(
      "div", { className: "supsae-presets", hidden: true }, this.choice, this.amount, this.name,
      make("button", { type: "button", onclick: () => this.save() }, say("presetSave")),
      this.icon("pi-download", say("presetDownload"), () => this.give()),
      this.icon("pi-upload", say("presetUpload"), () => this.file.click()),
      this.icon("pi-trash", say("presetRemove"), () => this.remove()), this.file,
    );
  }

  icon(icon, title, onclick) {
    return make("button", { type: "button", title, className: `pi ${icon}`, aria: { label: title }, onclick });
  }

  height() {
    return this.element.hidden ? 0 : LINE;
  }

  async toggle() {
    this.element.hidden = !this.element.hidden;
    this.aim(null, 1);
    this.button.setAttribute("aria-expanded", String(!this.element.hidden));
    this.mixer.refit();
    if (!this.element.hidden) await this.list();
  }

  /** Offer the presets that there are. */
  async list(chosen = "") {
    const names = await presetNames().catch(() => []);
    const option = (value, text) => Object.assign(document.createElement("option"), { value, textContent: text });
    this.choice.replaceChildren(option("", say(names.length ? "presetChoose" : "presetNone")), ...names.map((name) => option(name, name)));
    this.choice.value = names.includes(chosen) ? chosen : "";
  }

  /** Take the chosen preset whole. */
  async choose() {
    const name = this.choice.value;
    const text = name && (await readPreset(name));
    const rows = text ? parse(text) : null;
    this.aim(rows, 1);
    if (rows) this.mixer.edit(rows);
    else if (name) this.mixer.host.toast("error", say("presets"), say("presetUnreadable", { name }));
  }

  /** Let the slider lead from the rows as they are to a preset's, and stand at one of the ends; null switches it off. */
  aim(rows, amount) {
    this.from = rows && this.mixer.rows;
    this.to = rows;
    this.amount.disabled = !rows;
    this.amount.value = amount;
  }

  /** Go part of the way from the rows before to the preset. */
  blend() {
    if (this.from) this.mixer.edit(blended(this.from, this.to, Number(this.amount.value)));
  }

  async save(text = dump(this.mixer.rows), typed = this.name.value) {
    const name = presetName(typed);
    if (!name) return this.mixer.host.toast("error", say("presets"), say("presetNameNeeded"));
    try {
      await writePreset(name, text);
      this.name.value = "";
      await this.list(name);
      this.aim(parse(text), 0);
      this.mixer.host.toast("success", say("presets"), say("presetSaved", { name }));
    } catch (error) {
      this.mixer.host.toast("error", say("presets"), error.message);
    }
  }

  /** Give the rows away as a file. */
  give() {
    const name = presetName(this.choice.value || this.name.value) || "preset";
    const link = make("a", { href: URL.createObjectURL(new Blob([dump(this.mixer.rows)], { type: "application/json" })), download: `${name}.json` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  /** Bring in a file as a preset; nothing of it is used before the slider is moved, or it is chosen again. */
  async bring() {
    const [file] = this.file.files;
    this.file.value = "";
    if (!file) return;
    const text = file.size <= 65536 ? await file.text() : "";
    if (!text || !parse(text)) return this.mixer.host.toast("error", say("presets"), say("presetUnreadable", { name: file.name }));
    await this.save(text, file.name);
  }

  async remove() {
    const name = this.choice.value;
    if (!name) return;
    await removePreset(name);
    this.aim(null, 1);
    await this.list();
  }
}
