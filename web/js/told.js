/** A node's report, where the node is: nothing has to be wired to read it. */

import { make } from "./dom.js";
import { say, translated } from "./language.js";
import { measured } from "./measured.js";

/** Below nodes that say in a few lines what they found or did. */
export function toldPanel(host) {
  const text = make("pre", { className: "supsae-told-text" });
  const empty = make("div", { className: "supsae-pale", role: "status" }, say("runToRead"));
  const panel = measured(host, make("div", {}, empty, text), { most: 260 });
  return {
    element: panel.element,
    height: panel.height,
    dispose: panel.dispose,
    output(data) {
      const found = data?.supsae_told ?? [];
      if (!found.length) return;
      empty.hidden = true;
      const numbered = (one, i) => `${i + 1}/${found.length}\n${translated(one)}`; // a list runs the node once for each
      text.textContent = found.length > 1 ? found.map(numbered).join("\n\n") : translated(found[0]);
    },
  };
}
