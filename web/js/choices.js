/**
 * Inputs that a choice brings, such as `where.sites`, in the frontend's language: of itself the frontend translates the
 * names on their widgets, and neither their tooltips nor the names of their sockets.
 */

import { inputTexts } from "./language.js";

/** Give what a node's choices brought its texts. */
export function translateChoices(node) {
  for (const slot of brought(node.inputs)) {
    const texts = inputTexts(node.comfyClass, slot.name);
    if (texts) slot.label = texts.name;
  }
  for (const widget of brought(node.widgets)) {
    const texts = inputTexts(node.comfyClass, widget.name);
    if (texts) widget.tooltip = texts.tooltip;
  }
}

const brought = (slots) => (slots ?? []).filter((one) => one.name.includes("."));
