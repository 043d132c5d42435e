/** Elements in one line. */

/** Make an element; properties that start with "on" listen, `data` and `aria` are spread, children may be text. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) set(element, name, value);
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** Make a button with one of ComfyUI's icons before its text. */
export function iconButton(icon, text, onclick) {
  return make("button", { type: "button", onclick }, make("i", { className: `pi ${icon}`, aria: { hidden: "true" } }), ` ${text}`);
}

function set(element, name, value) {
  if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
  else if (name === "aria") for (const [key, one] of Object.entries(value)) element.setAttribute(`aria-${key}`, one);
  else if (name in element) element[name] = value;
  else element.setAttribute(name, value);
}

const held = new WeakSet(); // inputs between the first key or move and the change that ends it

/** Let `write` leave these alone from the first key or move in one of them to its change: news arrive at any time. */
export function holdWhileMoved(...inputs) {
  const free = () => inputs.forEach((one) => held.delete(one));
  for (const input of inputs) {
    input.addEventListener("input", () => inputs.forEach((one) => held.add(one)));
    input.addEventListener("change", free, { capture: true }); // before those who write its legal value
    input.addEventListener("blur", free);
  }
}

/** Show a value, unless the input is just being moved or typed into. */
export function write(input, value) {
  if (!held.has(input)) input.value = value;
}
