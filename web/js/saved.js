/** Below Fit Dictionary: the file that was written with a button to share it, and the report. */

import { forget } from "./concepts.js";
import { iconButton, make } from "./dom.js";
import { say } from "./language.js";
import { size } from "./numbers.js";
import { ReportPanel } from "./report.js";

export function fitPanel(host) {
  return new FitPanel(host);
}

class FitPanel extends ReportPanel {
  constructor(host) {
    const line = make("span", { className: "supsae-said supsae-pale", role: "status" });
    const share = iconButton("pi-download", say("download"), () => host.save(`download?name=${encodeURIComponent(this.name)}`, this.name));
    const file = make("div", { className: "supsae-line supsae-upload", hidden: true }, line, share);
    super(host, say("runForReport"), file);
    this.file = file;
    this.line = line;
  }

  output(data) {
    super.output(data);
    const saved = data?.supsae_saved?.[0];
    if (!saved && !data?.supsae_report) return;
    this.file.hidden = !saved;
    if (!saved) return;
    this.name = saved.name;
    this.line.textContent = this.line.title = say("saved", { name: saved.name, size: size(saved.bytes) });
    forget(); // a loader may show a file of this name as it was
  }
}
