/** A report that is read at a glance: the verdict first, then small tables, then the whole text under a fold. */

import { make } from "./dom.js";
import { say, translated } from "./language.js";
import { measured } from "./measured.js";

const ICONS = { good: "pi-check-circle", fair: "pi-info-circle", poor: "pi-exclamation-triangle" };

/** Below Evaluate Dictionary. */
export function reportPanel(host) {
  return new EvaluationPanel(host, say("runForReport"));
}

export class ReportPanel {
  constructor(host, empty, ...above) {
    this.host = host;
    this.report = make("div", { className: "supsae-report" });
    const panel = measured(host, make("div", {}, ...above, this.report), { width: 360 });
    this.element = panel.element;
    this.height = panel.height;
    this.dispose = panel.dispose;
    this.empty(empty);
  }

  /** Say something where there is no report. */
  empty(sentence, wrong = false) {
    this.report.replaceChildren(make("div", { className: wrong ? "supsae-wrong" : "supsae-pale", role: "status" }, sentence));
  }

  output(data) {
    const found = data?.supsae_report?.[0];
    if (!found) return;
    const level = found.level in ICONS ? found.level : "fair";
    const parts = [
      ...found.sections.map(section),
      make("details", {}, make("summary", {}, say("wholeReport")), make("pre", {}, this.whole(found.text))),
    ];
    this.report.replaceChildren(
      make("div", { className: `supsae-verdict supsae-${level}`, role: "status" },
        make("i", { className: `pi ${ICONS[level]}`, aria: { hidden: "true" } }), make("div", {}, ...translated(found.verdict).split("\n").map((one) => make("p", {}, one)))),
      ...(this.brief ? [make("details", {}, make("summary", {}, say("report")), ...parts)] : parts),
    );
  }

  /** Return the text under the fold as it is shown. */
  whole(text) {
    return translated(text);
  }

  /** Whether all but the verdict is folded away: on a node that is only passed through. */
  get brief() {
    return false;
  }
}

class EvaluationPanel extends ReportPanel {
  /** Figures for research, in English as the page that was written beside them. */
  whole(text) {
    return text;
  }
}

function section({ title, head, rows }, index) {
  const table = make("table", {}, ...(head?.length ? [line(head, "th")] : []), ...rows.map((row) => line(row)));
  return make("details", { open: index < 1 }, make("summary", {}, translated(title)), table);
}

function line(cells, tag = "td") {
  return make("tr", {}, ...cells.map((cell, i) => make(i || tag === "th" ? tag : "th", { scope: tag === "th" ? "col" : i ? "" : "row" }, translated(cell))));
}
