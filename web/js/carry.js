/** On Load Dictionary: the box that puts a dictionary's file, or its light form, into the workflow and its pictures. */

import { dropFile, keepFile, keptFile, MOST } from "./carried_file.js";
import { make } from "./dom.js";
import { say, translated } from "./language.js";
import { size } from "./numbers.js";

export class CarryBox {
  constructor(host) {
    this.host = host;
    this.box = make("input", { type: "checkbox", onchange: () => this.toggle() });
    this.label = make("span", {});
    this.said = make("div", { role: "status", hidden: true });
    this.element = make("div", { className: "supsae-carry", hidden: true }, make("label", {}, this.box, this.label), this.said);
  }

  /** Show whether the chosen file is carried. What was carried of another one is dropped, of an older version made anew. */
  show(name, { bytes }) {
    const kept = keptFile(this.host.node, name);
    if (!kept) dropFile(this.host.node);
    this.name = name;
    this.element.hidden = false;
    this.box.checked = Boolean(kept);
    this.label.textContent = say(bytes > MOST ? "carryLight" : "carryWhole", { size: size(bytes).replace(" ", "\u00a0") });
    this.tell(kept ? carriedIs(kept) : "");
    if (kept && kept.size !== bytes) this.keep();
  }

  /** There is no file, so none to carry; what is carried of it stays. */
  hide() {
    this.element.hidden = true;
  }

  toggle() {
    if (this.box.checked) return this.keep();
    dropFile(this.host.node);
    this.tell("");
    this.host.changed();
  }

  /** Ask for what can be carried of the file, and put it into the node. */
  async keep() {
    const { name } = this;
    this.box.disabled = true;
    this.tell(say("carryMakes"));
    try {
      const found = await this.host.ask(`light?name=${encodeURIComponent(name)}`);
      if (this.name !== name) return;
      const kept = keepFile(this.host.node, found);
      this.box.checked = kept;
      this.tell(kept ? carriedIs(found) : say("carryNot", { size: size(MOST) }), !kept);
      this.host.changed();
    } catch (error) {
      this.box.checked = false;
      this.tell(translated(error.message), true);
    } finally {
      this.box.disabled = false;
    }
  }

  tell(sentence, wrong = false) {
    this.said.className = wrong ? "supsae-wrong" : "supsae-pale";
    this.said.textContent = sentence;
    this.said.hidden = !sentence;
  }
}

const carriedIs = ({ bytes, light }) => say(light ? "carriedLight" : "carriedWhole", { size: size(bytes) });
