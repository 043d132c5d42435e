/** Below Load Dictionary: what the chosen file knows, its report after a run, and buttons to bring in and give away. */

import { carried, carry, inALine, tableText } from "./carried.js";
import { conceptsOf, forget, forgotten } from "./concepts.js";
import { iconButton, make } from "./dom.js";
import { chooseFile, Fitting } from "./fitting.js";
import { widgetOf } from "./graph.js";
import { say, translated } from "./language.js";
import { watchWidget } from "./measured.js";
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
    super(host, "", make("div", { className: "supsae-line supsae-upload" }, button, share, input), fitting.element);
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
      this.empty(holds(found.categories));
      if (found.words) carry(this.host.node, this.chosen, found.words);
    } catch (error) {
      if (this.asked !== asked) return;
      this.share.disabled = true; // there is nothing to give away
      this.empty(translated(error.message), true);
      this.offer(carried(this.host.node, this.chosen));
    }
  }

  /** Say for which encoders it is, and hold that against the wires, which may be others with each change of the graph. */
  async fits() {
    const { chosen } = this;
    const found = await conceptsOf(this.host, this.host.node).catch(() => null);
    if (this.chosen === chosen && this.host.node.graph) this.fitting.show(found?.family, this.host.targets("dictionary"));
  }

  /** Where the file is missing and the workflow knows its words, offer to learn them again. */
  offer(words) {
    if (!words) return;
    const learn = iconButton("pi-refresh", say("learnAgain"), () => {
      const learnt = this.host.learnInstead(tableText(words), this.chosen.replace(/\.safetensors$/i, ""));
      this.host.toast(learnt ? "success" : "error", say("learnAgain"), say(learnt ? "learnAgainRun" : "learnAgainNot"));
    });
    this.report.append(make("div", { className: "supsae-pale" }, say("carriedWords", { words: inALine(words) })), make("div", { className: "supsae-line" }, learn));
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

  async send(file = this.input.files[0]) {
    if (!file) return;
    this.button.disabled = true;
    const form = new FormData();
    form.append("file", file);
    try {
      const { name } = await this.host.ask("upload", form);
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
