/** Draw while a row is moved: one run at a time, and then the newest values, however many were passed by. */

import { make } from "./dom.js";
import { say } from "./language.js";

const ENDS = ["execution_success", "execution_error", "execution_interrupted"];

export class Live {
  /** @param value returns what is moved, as text. */
  constructor(host, value) {
    this.host = host;
    this.value = value;
    this.busy = false;
    this.box = make("input", { type: "checkbox", onchange: () => this.switched() });
    this.element = make("label", { className: "supsae-live", title: say("liveHelp") }, this.box, say("live"));
    for (const event of ENDS) host.listen(event, () => this.ended(event === ENDS[0]));
  }

  get on() {
    return this.box.checked;
  }

  switched() {
    this.drawn = undefined; // whatever was drawn by hand
    this.moved();
  }

  /** After a row moved; what was let go where it already is drawn needs no second run. */
  moved() {
    if (this.on && !this.busy && this.value() !== this.drawn) this.draw();
  }

  async draw() {
    this.busy = true;
    this.drawn = this.value();
    if (!(await this.host.run())) this.ended(false);
  }

  /** After any run; one that failed or was stopped ends the drawing, or it would fail at every move. */
  ended(well) {
    if (!this.busy) return; // pressed by hand
    this.busy = false;
    if (!well) this.box.checked = false;
    this.moved();
  }
}
