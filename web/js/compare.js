/** Before and after under one handle: the left of it is before, the right after. */

import { make } from "./dom.js";
import { say } from "./language.js";
import { measured } from "./measured.js";

export const COMPARED = "supsae.compared"; // what the mixers of a workflow listen to

/** Below Compare Pictures. */
export function comparePanel(host) {
  return new Compare(host);
}

class Compare {
  constructor(host) {
    this.host = host;
    host.hidePictures(); // the frontend's own view of both stays an app's
    this.before = make("img", { alt: say("pictureBefore"), draggable: false });
    this.after = make("img", { alt: say("pictureAfter"), draggable: false });
    this.handle = make("input", {
      type: "range", min: 0, max: 100, value: 50, className: "supsae-wipe", aria: { label: say("wipe") },
      oninput: () => this.wipe(),
    });
    this.marks = make("div", { className: "supsae-marks", aria: { hidden: "true" } },
      make("span", {}, say("pictureBefore")), make("span", {}, say("pictureAfter")));
    this.stage = make("div", { className: "supsae-stage", hidden: true }, this.after, this.before, this.marks);
    this.stage.addEventListener("pointermove", (event) => this.follow(event));
    this.stage.addEventListener("pointerdown", (event) => this.follow(event, true));
    this.list = make("ul", { className: "supsae-seen" });
    this.note = make("div", { className: "supsae-pale", role: "status" }, say("runToCompare"));
    const body = make("div", { className: "supsae-compare" }, this.stage, this.handle, this.note, this.list);
    this.handle.hidden = true;
    const panel = measured(host, body, { most: 720, width: 420 });
    Object.assign(this, { element: panel.element, height: panel.height, dispose: panel.dispose });
  }

  output(data) {
    const [after, before] = data?.images ?? [];
    const all = data?.supsae_compared ?? []; // several of a list
    const [found] = all;
    if (!before || !found) return;
    this.before.src = this.host.picture(before);
    this.after.src = this.host.picture(after);
    this.stage.hidden = this.handle.hidden = false;
    this.note.textContent = found.seen.length
      ? say("pixelsChanged", { share: percent(found.changed) })
      : `${say("pixelsChanged", { share: percent(found.changed) })} ${say("noReader")}`;
    const pictures = all.flatMap((one) => one.pictures ?? [one.seen]);
    const moved = pictures.flatMap((seen, i) => seen.filter((one) => one.before !== one.after).map((one) => [i, one]));
    const number = (i) => (pictures.length > 1 ? `${i + 1}/${pictures.length} ` : "");
    this.list.replaceChildren(...moved.map(([i, one]) => make("li", {}, `${number(i)}${one.category}: ${one.before} → ${one.after}`)));
    this.wipe();
    this.host.tell(COMPARED, { pictures });
  }

  /** Let the handle follow a pointer that is pressed, or that moves over the picture. */
  follow(event, pressed = false) {
    if (!pressed && !event.buttons) return;
    const { left, width } = this.stage.getBoundingClientRect();
    this.handle.value = (100 * (event.clientX - left)) / width;
    this.wipe();
  }

  wipe() {
    this.stage.style.setProperty("--at", `${this.handle.value}%`);
  }
}

function percent(share) {
  return `${Math.round(100 * share)} %`;
}
