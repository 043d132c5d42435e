/** Panels whose height follows from what is written in them. */

const MARGIN = 6; // around a panel, as frontend.js has it

/**
 * Make a panel of an element that is as high as its content.
 *
 * @param {HTMLElement} body the content; it lies in the panel's element.
 * @param {{least?: number, most?: number, width?: number, tall?: number}} limits in pixels; `width` and `tall` are what
 *   a new node gets at least.
 * @returns {{element: HTMLElement, height: () => number, dispose: () => void}}
 */
export function measured(host, body, { least = 24, most = 420, width = 320, tall = 0 } = {}) {
  const element = document.createElement("div");
  element.className = "supsae-measured supsae-scroll";
  element.append(body);
  let known = least;
  /** Take no more than that: what a node has to spare belongs to its texts. */
  const hold = () => {
    element.style.minHeight = `${known}px`;
    element.style.setProperty("--comfy-widget-max-height", known + 2 * MARGIN);
  };
  hold();
  const observer = new ResizeObserver(() => {
    const high = Math.min(most, Math.max(least, Math.ceil(body.offsetHeight)));
    if (!body.isConnected || !body.offsetWidth || high === known) return;
    known = high;
    hold();
    host.resize();
  });
  observer.observe(body);
  const { size } = host.node; // of a new node; a saved one gets its own back
  if (size) host.node.size = [Math.max(size[0], width), Math.max(size[1], tall)];
  return { element, height: () => known, dispose: () => observer.disconnect() };
}

/** Call back with a widget's value whenever it is changed by hand, in both renderers. */
export function watchWidget(host, name, callback) {
  const widget = host.widget(name);
  if (!widget) return;
  const before = widget.callback;
  widget.callback = function (...values) {
    const result = before?.apply(this, values);
    callback(values[0]);
    return result;
  };
}

/** Return a function that runs `work` once nothing called it for a while. */
export function later(work, milliseconds = 300) {
  let timer = 0;
  const run = (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => work(...values), milliseconds);
  };
  run.cancel = () => clearTimeout(timer);
  return run;
}
