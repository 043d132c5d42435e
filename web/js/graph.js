/** Ways through ComfyUI's graphs: along links, through reroutes and bypassed nodes, into and out of subgraphs. */

const OUTSIDE = "-10"; // origin id, a number or a text, of a link that comes from outside a subgraph
const OUTWARD = "-20"; // target id of a link that goes out of a subgraph
const BYPASSED = 4;

/** Return the node that the server calls by `id`: "7", or "3:7" for number 7 in the subgraph of number 3. */
export function nodeOf(root, id) {
  let graph = root;
  let node = null;
  for (const part of String(id).split(":")) {
    node = graph?.getNodeById?.(part) ?? graph?.getNodeById?.(Number(part)) ?? null; // numbers or texts, by version
    graph = node?.subgraph;
  }
  return node;
}

/** Return all nodes, those inside of subgraphs too. */
export function nodesOf(root) {
  return [root, ...(root?.subgraphs?.values?.() ?? [])].flatMap((graph) => graph?.nodes ?? []);
}

/** Return the node that feeds an input; null if there is none. */
export function sourceOf(node, input) {
  const slot = node?.inputs?.find((one) => one.name === input);
  const link = slot?.link == null ? null : linkOf(node.graph, slot.link);
  return link ? behind(node.graph, link) : null;
}

/** Return all nodes that an output reaches, through reroutes, into and out of subgraphs. */
export function targetsOf(node, output) {
  const links = node?.outputs?.find((one) => one.name === output)?.links ?? [];
  return links.flatMap((id) => reached(node.graph, linkOf(node.graph, id))); // a copy stands in no graph
}

/** Return {node, input} inside a subgraph to which an input of its node leads, null if that is no widget's. */
export function insideOf(node, input) {
  const slot = node.subgraph.inputs?.find((one) => one.name === input.name);
  const link = linkOf(node.subgraph, slot?.linkIds?.[0]);
  const found = link && node.subgraph.getNodeById(link.target_id);
  const name = found?.inputs?.[link.target_slot]?.widget?.name;
  return name ? { node: found, input: name } : null;
}

/**
 * Return the widget whose value the server takes for a node's input: the node's own, or that of a subgraph around it that
 * shows it outside; undefined where a node makes the value.
 */
export function widgetOf(node, name) {
  const slot = node?.inputs?.find((one) => one.name === name && one.link != null);
  const link = slot && linkOf(node.graph, slot.link);
  if (!link) return node?.widgets?.find((one) => one.name === name);
  const outside = String(link.origin_id) === OUTSIDE ? instanceOf(node.graph) : null;
  return outside ? widgetOf(outside, node.graph.inputs[link.origin_slot]?.name) : undefined;
}

function reached(graph, link) {
  if (!link) return [];
  if (String(link.target_id) === OUTWARD) {
    const outside = instanceOf(graph);
    return outside ? targetsOf(outside, graph.outputs[link.target_slot]?.name) : [];
  }
  const found = graph.getNodeById(link.target_id);
  if (found?.subgraph) return inside(found.subgraph, found.inputs[link.target_slot]?.name);
  if (found?.type === "Reroute") return targetsOf(found, found.outputs?.[0]?.name);
  return found ? [found] : [];
}

/** Return the nodes inside a subgraph that one of its inputs reaches. */
function inside(subgraph, input) {
  const links = subgraph.inputs?.find((one) => one.name === input)?.linkIds ?? [];
  return links.flatMap((id) => reached(subgraph, linkOf(subgraph, id)));
}

function behind(graph, link) {
  if (String(link.origin_id) === OUTSIDE) {
    const outside = instanceOf(graph);
    return outside ? sourceOf(outside, graph.inputs[link.origin_slot]?.name) : null;
  }
  const found = graph.getNodeById(link.origin_id);
  if (found?.subgraph) return makerInside(found, link.origin_slot) ?? found;
  const next = found && passedOn(found, link.origin_slot);
  return next ? sourceOf(found, next.name) : (found ?? null);
}

/** Return the input that a reroute or a bypassed node passes on to an output. */
function passedOn(node, slot) {
  if (node.type !== "Reroute" && node.mode !== BYPASSED) return null;
  const type = node.outputs?.[slot]?.type;
  return node.inputs?.find((one) => one.link != null && (one.type === type || one.type === "*"));
}

/** Return the node inside a subgraph that makes one of its outputs. */
function makerInside(instance, slot) {
  const link = linkOf(instance.subgraph, instance.subgraph.outputs?.[slot]?.linkIds?.[0]);
  return link ? behind(instance.subgraph, link) : null;
}

/** Return the node that stands for a subgraph in the graph around it. */
function instanceOf(subgraph) {
  return nodesOf(subgraph.rootGraph ?? subgraph).find((node) => node.subgraph === subgraph) ?? null;
}

function linkOf(graph, id) {
  return id == null ? null : (graph?.getLink?.(id) ?? graph?.links?.get?.(id) ?? graph?.links?.[id] ?? null);
}
