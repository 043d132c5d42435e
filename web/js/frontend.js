/**
 * The one module that knows ComfyUI's frontend; everything else talks to a `Host`.
 *
 * A panel is made by a function (host) → { element, height(), value?, output?(data), connected?(), dispose?() }.
 * With `value` (a property of text) it replaces the widget of an input; without, it is shown below the node's widgets
 * and saves nothing.
 */

import { api } from "../../../scripts/api.js";
import { app } from "../../../scripts/app.js";
import { translateChoices } from "./choices.js";
import { insideOf, nodeOf, nodesOf, sourceOf, targetsOf } from "./graph.js";
import { loadLanguages, templateWords } from "./language.js";
import { learnLoaders } from "./loaders.js";
import { translateWorkflow } from "./templates.js";

const PRESSES = ["pointerdown", "mousedown", "dblclick"];
const MARGIN = 6; // pixels around a panel
const OURS = "SupSAE_";
const CHOICE = "COMFY_DYNAMICCOMBO_V3";

/** What a panel may ask of the frontend. */
class Host {
  /**
   * @param node that the panel speaks for.
   * @param shown node that it stands on: the same, or the one of a subgraph around it.
   * @param write called with each change of value, where the frontend does not ask for it.
   */
  constructor(node, shown = node, write = () => {}) {
    this.node = node;
    this.shown = shown;
    this.write = write;
    this.heard = new Map(); // event → callbacks
    this.panels = [];
  }

  /** Tell the frontend that a value changed, so that undo knows it as one step. */
  changed() {
    this.write();
    const tracker = app.extensionManager?.workflow?.activeWorkflow?.changeTracker;
    (tracker?.captureCanvasState ?? tracker?.checkState)?.call(tracker);
    this.redraw();
  }

  redraw() {
    this.shown.setDirtyCanvas?.(true, true);
  }

  /** Make the node as high as its panels ask for; a node that the user made higher stays so. */
  resize() {
    const [width, height] = this.shown.computeSize();
    this.shown.setSize([Math.max(this.shown.size[0], width), Math.max(this.shown.size[1], height)]);
    this.redraw();
  }

  /** Make the node exactly as high as it needs to be. */
  fit() {
    this.shown.setSize([this.shown.size[0], this.shown.computeSize()[1]]);
    this.redraw();
  }

  /** Return the node that feeds an input, through reroutes, subgraphs and bypassed nodes; null if there is none. */
  source(input) {
    return sourceOf(this.node, input);
  }

  /** Tell whether the workflow has one of the pack's nodes, inside of subgraphs too. */
  has(kind) {
    return nodesOf(rootGraph()).some((one) => one.type === OURS + kind);
  }

  /** Return all nodes that an output reaches, through reroutes and subgraphs. */
  targets(output) {
    return targetsOf(this.node, output);
  }

  /** Call back when the frontend's or the server's event comes in, as long as the node is in the workflow. */
  listen(event, callback) {
    this.heard.set(event, [...(this.heard.get(event) ?? []), callback]);
    hear(event);
  }

  /** Tell all panels of the workflow something. */
  tell(event, detail) {
    api.dispatchEvent(new CustomEvent(event, { detail: { ...detail, graph: rootGraph() } }));
  }

  /** Keep the frontend from showing pictures that a panel shows itself. */
  hidePictures() {
    this.node.hideOutputImages = true; // in Vue nodes
    Object.defineProperty(this.node, "imgs", { get: () => undefined, set: () => {}, configurable: true });
  }

  /** Return the address of a picture as the server names it: filename, subfolder, type. */
  picture(file) {
    return api.apiURL(`/view?${new URLSearchParams(file)}`);
  }

  /** Tell whether an id that the server uses, such as "3:7" inside a subgraph, means this node. */
  isMe(id) {
    return nodeOf(rootGraph(), id) === this.node;
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

  /** Save what one of the pack's routes gives as a file of the browser's. */
  save(path, name) {
    const link = document.createElement("a");
    link.href = api.apiURL(`/supsae/${path}`);
    link.download = name.split(/[\\/]/).pop();
    link.click();
  }

  /** Run the workflow, as its button does; resolve to whether it was taken. */
  async run() {
    return Boolean(await app.queuePrompt(0, 1));
  }

  /** Show a short message in the corner. */
  toast(severity, summary, detail) {
    app.extensionManager?.toast?.add({ severity, summary, detail, life: 6000 });
  }

  /**
   * Learn a dictionary in the workflow in place of the one that this node loads: a table of these words, a capture, and a
   * fit, which go where the node went. Return whether there was a CLIP to learn from.
   */
  learnInstead(words, name) {
    const { graph } = this.node;
    const clip = graph.nodes.find((one) => one.outputs?.some((output) => output.type === "CLIP"));
    if (!clip) return false;
    const down = Math.max(...graph.nodes.map((one) => one.pos[1] + one.size[1])) + 80;
    const made = ["ConceptTable", "Capture", "FitDictionary"].map((kind, index) => {
      const node = globalThis.LiteGraph.createNode(OURS + kind);
      node.pos = [this.node.pos[0] + 440 * index, down];
      graph.add(node);
      return node;
    });
    const [table, capture, fit] = made;
    for (const [node, widget, value] of [[table, "text", words], [capture, "name", name]]) {
      node.widgets.find((one) => one.name === widget).value = value;
    }
    connect(clip, "CLIP", capture, "clip");
    connect(table, "SUPSAE_TABLE", capture, "table");
    connect(capture, "SUPSAE_CAPTURE", fit, "capture");
    const links = [...(this.node.outputs[0].links ?? [])].map((id) => graph.links.get?.(id) ?? graph.links[id]);
    for (const link of links) {
      const target = graph.getNodeById(link.target_id);
      if (target) fit.connect(0, target, link.target_slot);
    }
    graph.remove(this.node);
    this.changed();
    return true;
  }

  dispose() {
    this.heard.clear();
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
  await learnLoaders(async () => (await api.fetchApi("/supsae/loaders")).json());
  await loadLanguages(readLanguages, () => app.extensionManager?.setting?.get("Comfy.Locale") ?? "en");
  const types = {};
  for (const [id, { replace = {} }] of Object.entries(panels)) {
    for (const [input, make] of Object.entries(replace)) types[typeOf(id, input)] = maker(make);
  }
  app.registerExtension({
    name: "SupSAE",
    setup() {
      addStyle();
      api.addEventListener("graphChanged", () => {
        for (const node of nodesOf(rootGraph())) if (node.subgraph) showOutside(node, panels); // promoted just now
      });
    },
    getCustomWidgets: () => types,
    /** A workflow is opened, from a file, a picture or another tab, or undo brings it back: the frontend's own copy of it. */
    beforeConfigureGraph: (workflow) => translateWorkflow(workflow, templateWords()),
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
      if (node.comfyClass?.startsWith(OURS)) followChoices(node);
      if (node.subgraph) setTimeout(() => showOutside(node, panels));
      const own = panels[node.comfyClass];
      if (!own) return;
      for (const make of own.below ?? []) addPanel(node, make);
      own.watch?.(hostOf(node));
    },
    /** Outputs of another workflow tab come back, or those of the history. */
    onNodeOutputsUpdated(outputs) {
      for (const [id, output] of Object.entries(outputs)) {
        const node = nodeOf(rootGraph(), id);
        if (panels[node?.comfyClass]) tell(node, "output", output);
      }
    },
  });
}

function connect(from, type, to, input) {
  from.connect(from.outputs.findIndex((one) => one.type === type), to, to.inputs.findIndex((one) => one.name === input));
}

const hosts = new WeakMap(); // node → its Host
const guests = new WeakMap(); // node of a subgraph → input → Host of a panel that speaks for a node inside

function hostOf(node) {
  if (!hosts.has(node)) hosts.set(node, new Host(node));
  return hosts.get(node);
}

function tell(node, method, ...values) {
  for (const panel of hosts.get(node)?.panels ?? []) panel[method]?.(...values);
}

/** Translate what a choice brings, whenever one is made. */
function followChoices(node) {
  const { required, optional } = node.constructor.nodeData?.input ?? {};
  const choices = Object.entries({ ...required, ...optional }).filter(([, [type]]) => type === CHOICE);
  if (!choices.length) return;
  for (const [name] of choices) {
    const widget = node.widgets?.find((one) => one.name === name);
    if (widget) chain(widget, "callback", () => translateChoices(node));
  }
  chain(node, "onConfigure", () => translateChoices(node));
  translateChoices(node);
}

const hears = new Set();

/** Listen once for all nodes: a node that is gone, however it went, leaves no listener. */
function hear(event) {
  if (hears.has(event)) return;
  hears.add(event);
  api.addEventListener(event, (found) => {
    const there = nodesOf(rootGraph()).flatMap((node) => [hosts.get(node), ...(guests.get(node)?.values() ?? [])]);
    for (const host of there) for (const callback of host?.heard.get(event) ?? []) callback(found);
  });
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
    setTimeout(() => {
      const kept = app.nodeOutputs?.[this.id]; // a node that undo made anew ran before
      if (kept) tell(this, "output", kept);
      tell(this, "connected");
    });
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
  hearChanges(host, panel);
  if (name === undefined) {
    const widget = dress(node, newName(), panel, NOTHING);
    widget.serialize = false;
    return widget;
  }
  panel.value = value;
  return dress(node, name, panel, { getValue: () => panel.value, setValue: (text) => (panel.value = text) });
}

/** A file chosen in a loader far away comes as no event of this node, only as a change of the graph. */
function hearChanges(host, panel) {
  if (panel.connected) host.listen("graphChanged", () => panel.connected());
}

const NOTHING = { getValue: () => "", setValue: () => {}, serialize: false }; // of a panel that saves nothing
const newName = () => `supsae_panel_${(made += 1)}`;

/** Put a panel's element on a node. */
function dress(node, name, panel, options) {
  panel.element.classList.add("supsae");
  for (const press of PRESSES) panel.element.addEventListener(press, leaveToPanel);
  panel.element.addEventListener("keydown", leaveKeysToPanel);
  panel.element.addEventListener("wheel", leaveWheelToCanvas, { passive: false });
  // A type of its own: Vue nodes keep showing the old element of a node that undo made anew with the same names.
  const widget = node.addDOMWidget(name, `supsae_${(made += 1)}`, panel.element, {
    ...options,
    getMinHeight: () => panel.height() + 2 * MARGIN,
    margin: MARGIN,
    hideOnZoom: false,
  });
  // The properties panel of the classic canvas writes its own width here, and the panel would stay that narrow.
  Object.defineProperty(widget, "width", { get: () => undefined, set: () => {}, configurable: true });
  return widget;
}

/**
 * Show the panels of a subgraph's inputs on the node that stands for it.
 *
 * The frontend shows promoted widgets of its own kinds only; of ours it leaves an empty place, which is hidden. The value
 * is the promoted widget's.
 */
function showOutside(node, panels) {
  if (!guests.has(node)) guests.set(node, new Map());
  for (const input of node.inputs ?? []) {
    if (guests.get(node).has(input.name)) continue;
    const promoted = input.widget && node.widgets?.find((widget) => widget.name === input.name);
    const inner = promoted && !promoted.element && insideOf(node, input);
    const make = inner && panels[inner.node.comfyClass]?.replace?.[inner.input];
    if (make) guests.get(node).set(input.name, addOutside(node, promoted, inner.node, make));
  }
}

function addOutside(node, promoted, inner, make) {
  const host = new Host(inner, node, () => {
    promoted.value = panel.value;
  });
  const panel = make(host);
  panel.value = promoted.value;
  promoted.hidden = promoted.options.hidden = true;
  dress(node, newName(), panel, NOTHING).serialize = false;
  hostOf(inner).panels.push(panel); // told what the node inside is told
  const kept = app.nodeOutputs?.[`${node.id}:${inner.id}`];
  if (kept) panel.output?.(kept);
  hearChanges(host, panel);
  panel.connected?.();
  host.resize();
  return host;
}

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

const rootGraph = () => app.rootGraph ?? app.graph;

async function readLanguages() {
  return (await api.fetchApi("/i18n")).json();
}

function addStyle() {
  const style = document.createElement("link");
  style.rel = "stylesheet";
  style.href = new URL("../supsae.css", import.meta.url).href;
  document.head.append(style);
}
