/** Below Save Dictionary: the file that was written, and a button to share it. */

import { forget } from "./concepts.js";
import { iconButton, make } from "./dom.js";
import { say } from "./language.js";
import { size } from "./numbers.js";

export function savedPanel(host) {
  const line = make("span", { className: "supsae-said supsae-pale", role: "status" }, say("notSaved"));
  let name = "";
  const share = iconButton("pi-download", say("download"), () => host.save(`download?name=${encodeURIComponent(name)}`, name));
  share.disabled = true;
  const element = make("div", { className: "supsae-line supsae-upload" }, line, share);
  return {
    element,
    height: () => 30,
    output(data) {
      const saved = data?.supsae_saved?.[0];
      if (!saved) return;
      ({ name } = saved);
      line.textContent = line.title = say("saved", { name, size: size(saved.bytes) });
      share.disabled = false;
      forget(); // a loader may show a file of this name as it was
    },
  };
}
