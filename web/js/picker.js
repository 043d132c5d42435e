/** Concept Edit's concept: ComfyUI's own list where the concepts are known, its own text box where they are not. */

import { conceptsOf, forgotten } from "./concepts.js";
import { sourceOf, targetsOf, widgetOf } from "./graph.js";
import { say } from "./language.js";

const NAME = "concept";
const DEPTH = 32; // chained edits that are followed

/** Watch a node: the widget that ComfyUI made stays its own, so whatever it does with such widgets, it does with this. */
export function watchConcept(host) {
  const picker = new ConceptPicker(host);
  host.panels.push(picker); // told what panels are told
  host.listen("graphChanged", () => picker.connected());
}

class ConceptPicker {
  constructor(host) {
    this.host = host;
    this.names = [];
  }

  /** Ask anew which concepts there are. */
  async connected() {
    if (!this.host.node.graph) return; // a copy that is not placed yet
    const source = dictionaryBehind(this.host.node);
    const file = widgetOf(source, "name")?.value;
    const known = source && `${source.id} ${file} ${forgotten()}`;
    if (this.source === known) return this.refresh();
    this.source = known;
    const found = source ? await conceptsOf(this.host, source).catch(() => null) : null;
    if (this.source !== known || !this.host.node.graph) return;
    if (!found) this.source = undefined; // asked again when the graph changes
    this.names = found ? spelled(found.categories) : [];
    this.refresh();
  }

  /** Offer the names, or take what is typed; a value that is none of them stays, and stands first. */
  refresh() {
    const wanted = this.names.length ? "combo" : "text";
    const now = this.host.widget(NAME);
    if (!now) return;
    if (now.type !== wanted) this.swap(now, wanted);
    const widget = this.host.widget(NAME);
    if (wanted === "combo") offer(widget, this.names);
    this.host.redraw();
  }

  text(value) {
    return this.host.node.addWidget("text", NAME, value, () => this.host.changed(), {});
  }

  combo(value) {
    const label = (name) => (this.names.includes(name) || !name ? (name ?? "") : say("missing", { name }));
    return this.host.node.addWidget("combo", NAME, value, () => this.host.changed(), { values: [...this.names], getOptionLabel: label });
  }

  /**
   * Put a widget of another kind in the place of the one there is. The old one goes first: a name is given once. What
   * ComfyUI wrote on it, and the socket that it can be turned into, stay.
   */
  swap(old, kind) {
    const { node } = this.host;
    const { value, label, tooltip } = old;
    const [before, at] = [[...node.size], node.widgets.indexOf(old)];
    const socket = node.inputs?.find((one) => one.widget?.name === NAME);
    const named = socket?.widget;
    node.removeWidget(old);
    const made = kind === "combo" ? this.combo(value) : this.text(value);
    node.widgets.splice(node.widgets.indexOf(made), 1);
    node.widgets.splice(at, 0, made);
    if (socket) socket.widget = named;
    made.value = value;
    if (label !== undefined) made.label = label;
    if (tooltip !== undefined) made.tooltip = tooltip;
    node.setSize(before); // it was made higher for a widget more
  }
}

function offer(widget, names) {
  const wanted = names.includes(widget.value) || !widget.value ? names : [widget.value, ...names];
  const { values } = widget.options;
  if (values.length !== wanted.length || wanted.some((one, i) => one !== values[i])) widget.options.values = wanted;
}

function spelled(categories) {
  return categories.flatMap((category) => category.concepts.map((one) => `${category.name}: ${one.name}`));
}

/** Follow a node's edits, through further Concept Edits, to what gives the dictionary that they are made with. */
function dictionaryBehind(node, depth = DEPTH) {
  if (!depth) return null;
  for (const target of targetsOf(node, "edits")) {
    const found = sourceOf(target, "dictionary") ?? (target.comfyClass === node.comfyClass ? dictionaryBehind(target, depth - 1) : null);
    if (found) return found;
  }
  return null;
}
