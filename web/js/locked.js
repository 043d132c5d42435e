/** What a Lock let through of every edit: below Locked Picture, and in the rows of the mixer. */

import { toldPanel } from "./told.js";

export const LOCKED = "supsae.locked"; // what the mixers of a workflow listen to

/** Below Locked Picture. */
export function lockedPanel(host) {
  const panel = toldPanel(host);
  return {
    ...panel,
    output(data) {
      panel.output(data);
      const found = data?.supsae_locked?.[0];
      if (found) host.tell(LOCKED, { edits: found.edits });
    },
  };
}
