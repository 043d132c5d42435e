/** For which encoders a dictionary's file is, held against those that the prompt comes from: said before anything runs. */

import { filesFor } from "./concepts.js";
import { make } from "./dom.js";
import { widgetOf } from "./graph.js";
import { say } from "./language.js";
import { isKnown, loadersBehind, narrowed, titleOf } from "./loaders.js";

const LINE = 17; // pixels of a line of text, as supsae.css lays it out
const CHARACTER = 6.4; // pixels, about
const OFFERED = 4; // files

/**
 * Return {said, usual} where the nodes that a dictionary goes to surely take prompts of other encoders, null elsewhere:
 * said is a sentence, usual are the families whose files would fit.
 */
export async function mismatch(host, family, users) {
  if (!family || !isKnown(family.name)) return null;
  for (const user of users) {
    const loaders = await Promise.all(loadersBehind(user).map((one) => narrowed(host, one)));
    if (!loaders.length || loaders.some((one) => !one || one.may.includes(family.name))) continue;
    return { said: sentence(family, loaders[0]), usual: loaders.flatMap((one) => one.usual) };
  }
  return null;
}

function sentence({ title: file }, { node, type, may }) {
  const loader = type ? `${node}, ${type}` : node;
  if (may.length === 1) return say("fitOther", { file, prompt: titleOf(may[0]) });
  return say("fitLoader", { file, loader });
}

/** Choose a file in a node that loads one, or on the subgraph around it that shows the choice outside. */
export function chooseFile(host, loader, name) {
  const widget = widgetOf(loader, "name");
  if (!widget) return;
  const { values } = widget.options ?? {};
  if (Array.isArray(values) && !values.includes(name)) widget.options.values = [...values, name].sort();
  const before = widget.value;
  widget.value = name;
  widget.callback?.(name);
  loader.onWidgetChanged?.(widget.name, name, before, widget); // or its mark of a missing file stays
  host.changed();
}

/** The lines on a node: for whom its file is, what does not fit, and the files that would. */
export class Fitting {
  /** @param {(name: string) => void} [choose] called with a file that was clicked; without it they are named alone. */
  constructor(host, choose) {
    this.host = host;
    this.choose = choose;
    this.element = make("div", { className: "supsae-fitting", role: "status", hidden: true });
  }

  /**
   * Show what follows from a dictionary's family and the nodes that it goes to, with `always` also where nothing
   * is wrong. Return whether that is another text than before.
   */
  async show(family, users, always = true) {
    const asked = (this.asked = {});
    const wrong = await mismatch(this.host, family, users);
    const files = wrong ? await filesFor(this.host, wrong.usual) : [];
    if (this.asked !== asked) return false;
    const told = family && always && !wrong ? say("fitFor", { file: family.title }) : "";
    const now = JSON.stringify([told, wrong, files]);
    if (now === this.now) return false;
    this.now = now; // where nothing changed a pressed button keeps the focus
    this.element.hidden = !told && !wrong;
    this.element.replaceChildren(
      ...(told ? [make("div", { className: "supsae-pale" }, told)] : []),
      ...(wrong ? [make("div", { className: "supsae-wrong" }, wrong.said)] : []),
      ...(files.length ? [this.offer(files)] : []),
    );
    return true;
  }

  offer(files) {
    const shown = files.slice(0, OFFERED).map((name) => this.choose
      ? make("button", { type: "button", title: name, onclick: () => this.choose(name) }, name)
      : make("b", {}, name));
    const more = files.length - shown.length;
    const parts = [...shown.flatMap((one) => [" ", one]), ...(more > 0 ? [` ${say("andMore", { count: more })}`] : [])];
    return make("div", { className: "supsae-fits" }, say("fitFiles"), ...parts);
  }

  /** Lines are guessed from the width: the panel's height is asked for before it is laid out. */
  height(width) {
    if (this.element.hidden) return 0;
    const lines = [...this.element.children].map((one) => Math.ceil((letters(one.textContent) * CHARACTER) / width));
    return 4 + LINE * lines.reduce((sum, one) => sum + one, 0);
  }
}

/** Return the letters of a text, those that are twice as wide counted twice. */
const letters = (text) => text.length + (text.match(/[\u3000-\u9fff\uff00-\uff60]/g) ?? []).length;
