/**
 * The one module that knows ComfyUI's frontend; everything else talks to a `Host`.
 *
 * A panel is made by a function (host) → { element, height(), value?, output?(data), connected?(), dispose?() }.
 * With `value` (a property of text) it replaces the widget of an input; without, it is shown below the node's widgets
 * and saves nothing.
 */

import { api } from "../../../scripts/api.js";
import { app } from "../../../scripts/app.js";
import { loadLanguages } from "./language.js";

const SUBGRAPH_INPUT = "-10"; // origin id, a number or a text, of a link that comes from outside a subgraph
const PRESSES = ["pointerdown", "mousedown", "dblclick"];

/** What a panel may ask of the frontend. */
class Host {
  constructor(node) {
    this.node = node;
    this.listeners = new AbortController();
    this.panels = [];
  }

  /** Tell the frontend that a value changed, so that undo knows it as one step. */
  changed() {
    const tracker = app.extensionManager?.workflow?.activeWorkflow?.changeTracker;
    (tracker?.captureCanvasState ?? tracker?.checkState)?.call(tracker);
    this.redraw();
  }

  redraw() {
    this.node.setDirtyCanvas?.(true, true);
  }

  /** Make the node as high as its panels ask for; a node that the user made higher stays so. */
  resize() {
    const [width, height] = this.node.computeSize();
    this.node.setSize([Math.max(this.node.size[0], width), Math.max(this.node.size[1], height)]);
    this.redraw();
  }

  /** Make the node exactly as high as it needs to be. */
  fit() {
    this.node.setSize([this.node.size[0], this.node.computeSize()[1]]);
    this.redraw();
  }

  /** Return the node that feeds an input, through reroutes, subgraphs and bypassed nodes; null if there is none. */
  source(input) {
    return sourceOf(this.node, input);
  }

  /** Return all nodes that an output reaches directly. */
  targets(output) {
    return targetsOf(this.node, output);
  }

  /** Call back when another extension's or the server's event comes in, until the node is removed. */
  listen(event, callback) {
    api.addEventListener(event, callback, { signal: this.listeners.signal });
  }

  /** Tell whether an id that the server uses, such as "3:7" inside a subgraph, means this node. */
  isMe(id) {
    return nodeOf(id) === this.node;
  }

  widget(name) {
    return this.node.widgets?.find((widget) => widget.name === name);
  }

  /** Ask one of the pack's routes; resolve to its JSON, reject with its sentence. */
  async ask(path, body) {
    const form = body instanceof FormData;
    const options = body && {
      method: "POST",
      body: form ? body : JSON.stringify(body),
      ...(form ? {} : { headers: { "Content-Type": "application/json" } }),
    };
    const response = await api.fetchApi(`/supsae/${path}`, options);
    const answer = await response.json().catch(() => ({}));
    if (!response.ok) throw new Error(answer.error ?? `${response.status} ${response.statusText}`);
    return answer;
  }

  /** Show a short message in the corner. */
  toast(severity, summary, detail) {
    app.extensionManager?.toast?.add({ severity, summary, detail, life: 6000 });
  }

  dispose() {
    this.listeners.abort();
    for (const panel of this.panels) panel.dispose?.();
    this.panels = [];
  }
}

/**
 * Register the panels.
 *
 * @param {Record<string, {replace?: Record<string, Function>, below?: Function[], watch?: Function}>} panels node id →
 *   `replace`: input → function that makes the panel in its place; `below`: panels without a value; `watch`: called once
 *   a node with its host, for what needs no element.
 */
export async function extend(panels) {
  await loadLanguages(readLanguages, () => app.extensionManager?.setting?.get("Comfy.Locale") ?? "en");
  const types = {};
  for (const [id, { replace = {} }] of Object.entries(panels)) {
    for (const [input, make] of Object.entries(replace)) types[typeOf(id, input)] = maker(make);
  }
  app.registerExtension({
    name: "SupSAE",
    setup: addStyle,
    getCustomWidgets: () => types,
    beforeRegisterNodeDef(nodeType, nodeData) {
      const own = panels[nodeData.name];
      if (!own) return;
      const inputs = { ...nodeData.input?.required, ...nodeData.input?.optional };
      for (const input of Object.keys(own.replace ?? {})) {
        if (inputs[input]) inputs[input][1] = { ...inputs[input][1], widgetType: typeOf(nodeData.name, input) };
      }
      follow(nodeType);
    },
    nodeCreated(node) {
      const own = panels[node.comfyClass];
      if (!own) return;
      for (const make of own.below ?? []) addPanel(node, make);
      own.watch?.(hostOf(node));
      const kept = app.nodeOutputs?.[node.id];
      if (kept) tell(node, "output", kept);
    },
    /** Outputs of another workflow tab come back, or those of the history. */
    onNodeOutputsUpdated(outputs) {
      for (const [id, output] of Object.entries(outputs)) {
        const node = nodeOf(id);
        if (panels[node?.comfyClass]) tell(node, "output", output);
      }
    },
  });
}

const hosts = new WeakMap(); // node → Host; both are dropped together

function hostOf(node) {
  if (!hosts.has(node)) hosts.set(node, new Host(node));
  return hosts.get(node);
}

function tell(node, method, ...values) {
  for (const panel of hosts.get(node)?.panels ?? []) panel[method]?.(...values);
}

/** Chain what a node is told by the frontend; one that is removed loses its listeners. */
function follow(nodeType) {
  chain(nodeType.prototype, "onExecuted", function (output) {
    tell(this, "output", output);
  });
  chain(nodeType.prototype, "onConnectionsChange", function () {
    setTimeout(() => tell(this, "connected"));
  });
  chain(nodeType.prototype, "onConfigure", function () {
    setTimeout(() => tell(this, "connected"));
  });
  chain(nodeType.prototype, "onRemoved", function () {
    hosts.get(this)?.dispose();
  });
}

function chain(prototype, name, after) {
  const before = prototype[name];
  prototype[name] = function (...values) {
    const result = before?.apply(this, values);
    after.apply(this, values);
    return result;
  };
}

const typeOf = (id, input) => `SUPSAE_${id.replace(/^SupSAE_/, "")}_${input}`.toUpperCase();

/** Make a constructor as the frontend wants it, of a panel in the place of an input. */
function maker(make) {
  return (node, name, [, options]) => ({ widget: addPanel(node, make, name, options?.default ?? "") });
}

let made = 0;

function addPanel(node, make, name, value) {
  const host = hostOf(node);
  const panel = make(host);
  host.panels.push(panel);
  // A file chosen in a loader far away comes as no event of this node, only as a change of the graph.
  if (panel.connected) host.listen("graphChanged", () => panel.connected());
  if (!panel.element) return panel.widget;
  panel.element.classList.add("supsae");
  for (const press of PRESSES) panel.element.addEventListener(press, leaveToPanel);
  panel.element.addEventListener("keydown", leaveKeysToPanel);
  panel.element.addEventListener("wheel", leaveWheelToCanvas, { passive: false });
  const saves = name !== undefined;
  if (saves) panel.value = value;
  const widget = node.addDOMWidget(name ?? `supsae_panel_${(made += 1)}`, "supsae", panel.element, {
    getValue: () => (saves ? panel.value : ""),
    setValue: (text) => {
      if (saves) panel.value = text;
    },
    getMinHeight: () => panel.height() + 2 * MARGIN,
    margin: MARGIN,
    hideOnZoom: false,
    serialize: saves,
  });
  widget.serialize = saves;
  return widget;
}

const MARGIN = 6;

/** The middle button pans the canvas everywhere; all else stays with the panel. */
function leaveToPanel(event) {
  if (event.button !== 1) event.stopPropagation();
}

/**
 * A letter typed into a panel is no shortcut; what is held with Ctrl or Meta (Run, save) stays one. Undo of a slider is
 * ComfyUI's, which leaves it to every input, text or not.
 */
function leaveKeysToPanel(event) {
  if (!event.ctrlKey && !event.metaKey) event.stopPropagation();
  else if (event.target.type === "range") undo(event);
}

function undo(event) {
  const key = event.key.toLowerCase();
  const command = key === "y" || (key === "z" && event.shiftKey) ? "Comfy.Redo" : key === "z" ? "Comfy.Undo" : null;
  if (!command) return;
  event.preventDefault();
  event.stopPropagation();
  app.extensionManager?.command?.execute?.(command);
}

/** The wheel zooms the canvas, but for a list that can be scrolled and was clicked into. */
function leaveWheelToCanvas(event) {
  const list = event.target.closest(".supsae-scroll");
  const scrolls = list && list.scrollHeight > list.clientHeight && list.contains(document.activeElement);
  if (scrolls && !event.ctrlKey) {
    event.stopPropagation();
  } else if (!event.currentTarget.closest("[data-node-id]")) {
    event.preventDefault();
    app.canvas?.processMouseWheel?.(event);
  }
}

/** Return the node that the server calls by `id`: "7", or "3:7" for number 7 in the subgraph of number 3. */
function nodeOf(id) {
  let graph = app.rootGraph ?? app.graph;
  let node = null;
  for (const part of String(id).split(":")) {
    node = graph?.getNodeById?.(part) ?? graph?.getNodeById?.(Number(part)) ?? null; // numbers or texts, by version
    graph = node?.subgraph;
  }
  return node;
}

function sourceOf(node, input) {
  const slot = node?.inputs?.findIndex((one) => one.name === input) ?? -1;
  const link = slot < 0 || node.inputs[slot].link == null ? null : linkOf(node.graph, node.inputs[slot].link);
  return link ? behind(node.graph, link) : null;
}

function behind(graph, link) {
  if (String(link.origin_id) === SUBGRAPH_INPUT) {
    const outside = instanceOf(graph);
    return outside ? sourceOf(outside, graph.inputs[link.origin_slot]?.name) : null;
  }
  const found = graph.getNodeById(link.origin_id);
  if (!found) return null;
  if (found.subgraph) return inside(found, link.origin_slot) ?? found;
  const passes = found.type === "Reroute" || found.mode === 4; // 4: bypassed
  const type = found.outputs?.[link.origin_slot]?.type;
  const next = passes && found.inputs?.find((one) => one.link != null && (one.type === type || one.type === "*"));
  return next ? sourceOf(found, next.name) : found;
}

/** Return the node inside a subgraph that makes one of its outputs. */
function inside(instance, slot) {
  const id = instance.subgraph.outputs?.[slot]?.linkIds?.[0];
  const link = id == null ? null : linkOf(instance.subgraph, id);
  return link ? behind(instance.subgraph, link) : null;
}

/** Return the node that stands for a subgraph in the graph around it. */
function instanceOf(subgraph) {
  const root = app.rootGraph ?? app.graph;
  const graphs = [root, ...(root.subgraphs?.values?.() ?? [])];
  return graphs.flatMap((graph) => graph.nodes ?? []).find((node) => node.subgraph === subgraph) ?? null;
}

function targetsOf(node, output) {
  const slot = node?.outputs?.findIndex((one) => one.name === output) ?? -1;
  const links = (node?.outputs?.[slot]?.links ?? []).map((id) => linkOf(node.graph, id)).filter(Boolean);
  return links.flatMap((link) => {
    const found = node.graph.getNodeById(link.target_id);
    if (!found) return [];
    return found.type === "Reroute" ? targetsOf(found, found.outputs?.[0]?.name) : [found];
  });
}

export { sourceOf, targetsOf };

function linkOf(graph, id) {
  return graph?.getLink?.(id) ?? graph?.links?.get?.(id) ?? graph?.links?.[id] ?? null;
}

async function readLanguages() {
  return (await api.fetchApi("/i18n")).json();
}

function addStyle() {
  const style = document.createElement("link");
  style.rel = "stylesheet";
  style.href = new URL("../supsae.css", import.meta.url).href;
  document.head.append(style);
}
