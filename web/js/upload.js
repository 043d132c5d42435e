/** Below Load Dictionary: what the chosen file knows, its report after a run, and buttons to bring in and give away. */

import { carried, carry, inALine, tableText } from "./carried.js";
import { fileOf, keepFile, keptFile } from "./carried_file.js";
import { CarryBox } from "./carry.js";
import { conceptsOf, forget, forgotten } from "./concepts.js";
import { iconButton, make } from "./dom.js";
import { chooseFile, Fitting } from "./fitting.js";
import { widgetOf } from "./graph.js";
import { say, translated } from "./language.js";
import { watchWidget } from "./measured.js";
import { size } from "./numbers.js";
import { ReportPanel } from "./report.js";

export function loaderPanel(host) {
  return new LoaderPanel(host);
}

class LoaderPanel extends ReportPanel {
  constructor(host) {
    const input = make("input", { type: "file", accept: ".safetensors", hidden: true, onchange: () => this.send() });
    const button = iconButton("pi-upload", say("upload"), () => input.click());
    const share = iconButton("pi-download", say("download"), () => this.host.save(`download?name=${encodeURIComponent(this.chosen)}`, this.chosen));
    const fitting = new Fitting(host, (name) => this.choose(name));
    const box = new CarryBox(host);
    super(host, "", make("div", { className: "supsae-line supsae-upload" }, button, share, input), box.element, fitting.element);
    this.box = box;
    this.fitting = fitting;
    this.input = input;
    this.share = share;
    this.button = button;
    watchWidget(host, "name", () => this.connected());
    this.element.addEventListener("dragover", (event) => event.preventDefault());
    this.element.addEventListener("drop", (event) => this.drop(event));
    queueMicrotask(() => this.connected());
  }

  /** Say what the chosen file holds, before anything runs. */
  async connected() {
    this.fits();
    if (this.told === this.question) return; // or a run's report, or a file's refusal, would be lost
    const asked = (this.asked = {});
    this.told = this.question;
    try {
      const found = await conceptsOf(this.host, this.host.node);
      if (this.asked !== asked || !found) return;
      this.share.disabled = false;
      this.empty(holds(found.categories) + (found.light ? ` ${say("lightFile")}` : ""));
      if (found.words) carry(this.host.node, this.chosen, found.words);
      this.box.show(this.chosen, found);
    } catch (error) {
      if (this.asked !== asked) return;
      this.share.disabled = true; // there is nothing to give away
      this.box.hide();
      this.empty(translated(error.message), true);
      this.offer(carried(this.host.node, this.chosen), keptFile(this.host.node, this.chosen));
    }
  }

  /** Say for which encoders it is, and hold that against the wires, which may be others with each change of the graph. */
  async fits() {
    const { chosen } = this;
    const found = await conceptsOf(this.host, this.host.node).catch(() => null);
    if (this.chosen === chosen && this.host.node.graph) this.fitting.show(found?.family, this.host.targets("dictionary"));
  }

  /** Where the file is missing and the workflow carries it, or its words, offer to use it, or to learn them again. */
  offer(words, file) {
    const use = file && iconButton("pi-file-import", say(file.light ? "useCarriedLight" : "useCarried"), () => this.useCarried(file));
    const learn = words && iconButton("pi-refresh", say("learnAgain"), () => {
      const learnt = this.host.learnInstead(tableText(words), this.chosen.replace(/\.safetensors$/i, ""));
      this.host.toast(learnt ? "success" : "error", say("learnAgain"), say(learnt ? "learnAgainRun" : "learnAgainNot"));
    });
    if (words) this.report.append(make("div", { className: "supsae-pale" }, say("carriedWords", { words: inALine(words) })));
    if (file?.light) this.report.append(make("div", { className: "supsae-pale" }, say("carriedLight", { size: size(file.bytes) })));
    if (use || learn) this.report.append(make("div", { className: "supsae-line supsae-offer" }, use, learn));
  }

  /** Save what the workflow carries as a file, which the server checks as any that comes in, and go on carrying it. */
  async useCarried(kept) {
    try {
      await this.send(await fileOf(kept), (name) => keepFile(this.host.node, { ...kept, name }));
    } catch (error) {
      this.empty(error.message, true);
    }
  }

  output(data) {
    if (!data?.supsae_report) return;
    this.asked = null;
    this.told = this.question;
    super.output(data);
  }

  get brief() {
    return true;
  }

  get chosen() {
    return widgetOf(this.host.node, "name")?.value;
  }

  get question() {
    return `${this.chosen} ${forgotten()}`;
  }

  drop(event) {
    const file = event.dataTransfer?.files?.[0];
    if (!file) return;
    event.preventDefault();
    event.stopPropagation();
    this.send(file);
  }

  /** @param {(name: string) => void} [before] called with the name that the file got, before it is chosen. */
  async send(file = this.input.files[0], before = () => {}) {
    if (!file) return;
    this.button.disabled = true;
    const form = new FormData();
    form.append("file", file);
    try {
      const { name } = await this.host.ask("upload", form);
      before(name);
      this.choose(name);
      this.host.toast("success", say("upload"), say("uploaded", { name }));
    } catch (error) {
      this.empty(translated(error.message), true);
      this.host.toast("error", say("upload"), translated(error.message));
    } finally {
      this.input.value = "";
      this.button.disabled = false;
    }
  }

  choose(name) {
    this.told = null;
    forget();
    chooseFile(this.host, this.host.node, name);
  }
}

function holds(categories) {
  const warned = categories.flatMap((one) => one.concepts).filter((one) => one.warning).length;
  const concepts = categories.reduce((sum, one) => sum + one.concepts.length, 0);
  const said = say("dictionaryHolds", { categories: categories.map((one) => one.name).join(", "), concepts });
  return warned ? `${said} ${say("dictionaryWarned", { count: warned })}` : said;
}
