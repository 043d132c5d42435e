/** Below Capture: how far it is, how fast, how long still, how large, and what is drawn now. */

import { make } from "./dom.js";
import { say } from "./language.js";
import { later, measured, watchWidget } from "./measured.js";
import { rounded, size, time } from "./numbers.js";

export function capturePanel(host) {
  return new CapturePanel(host);
}

class CapturePanel {
  constructor(host) {
    this.host = host;
    this.fill = make("div", { className: "supsae-fill" });
    this.bar = make("div", { className: "supsae-bar", role: "progressbar", hidden: true, aria: { valuemin: "0", valuemax: "100", label: say("progress") } }, this.fill);
    this.line = make("div", { className: "supsae-progress", role: "status" });
    this.preview = make("ul", { className: "supsae-preview", hidden: true });
    const panel = measured(host, make("div", {}, this.bar, this.line, this.preview));
    this.element = panel.element;
    this.height = panel.height;
    this.stop = panel.dispose;
    this.look = later(() => this.ask());
    watchWidget(host, "name", () => this.look());
    host.listen("supsae.capture", ({ detail }) => {
      if (host.isMe(detail.node)) this.show(detail);
    });
    for (const end of ["execution_error", "execution_interrupted"]) {
      host.listen(end, () => {
        if (this.running) this.look();
      });
    }
    this.look();
  }

  connected() {
    if (!this.running && this.asked !== this.host.widget("name")?.value) this.look();
  }

  dispose() {
    this.stop();
    this.look.cancel();
  }

  output(data) {
    const found = data?.supsae_capture?.[0];
    if (found) this.show(found);
  }

  /** Ask what lies in the folder: after a reload, and where a capture was stopped. */
  async ask() {
    const name = (this.asked = this.host.widget("name")?.value ?? "");
    this.running = false;
    try {
      const found = await this.host.ask(`capture?name=${encodeURIComponent(name)}`);
      this.show(found.total ? { ...found, finished: found.done === found.total, stopped: found.done < found.total } : null);
    } catch {
      this.show(null);
    }
  }

  show(state) {
    this.running = Boolean(state && !state.finished && !state.stopped);
    const share = state?.total ? state.done / state.total : 0;
    this.bar.hidden = !state || Boolean(state.finished);
    this.bar.setAttribute("aria-valuenow", String(Math.round(100 * share)));
    this.fill.style.width = `${100 * share}%`;
    this.line.textContent = state ? told(state) : say("captureNone");
    this.line.classList.toggle("supsae-fine", Boolean(state?.finished));
    this.line.classList.toggle("supsae-idle", !state);
    const prompts = (this.running && state.preview) || [];
    this.preview.replaceChildren(...prompts.map((one) => make("li", { title: one }, one)));
    this.preview.hidden = !prompts.length;
  }
}

function told(state) {
  const values = { done: state.done, total: state.total, size: size(state.bytes), folder: `output/supsae/captures/${state.folder}` };
  if (state.finished) return say("captureFinished", values);
  if (state.stopped) return say("captureStopped", values);
  const done = say(state.what === "pictures" ? "capturePictures" : "capturePrompts", values);
  const rate = state.rate > 0 ? say("perSecond", { rate: rounded(state.rate) }) : null;
  const left = state.left === null || state.left === undefined ? null : say("timeLeft", { time: time(state.left) });
  const all = say("sizeOf", { size: size(state.bytes), all: size(state.all_bytes) });
  return [done, rate, left, all].filter(Boolean).join(" · ");
}
