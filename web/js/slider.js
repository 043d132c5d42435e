/** A slider in units of writing the word: 0 … 1.5, the safe range tinted, double click resets, numbers can be typed. */

import { holdWhileMoved, make, write } from "./dom.js";
import { say } from "./language.js";

const END = 1.5;
const LEGAL = [-2, 3]; // what may be typed, as the server accepts it

/**
 * Return {element, show(strength, safe, disabled, ends)}; `change` is called with each strength that was chosen, `drag` with
 * those on the way there. Without a `safe` range none was measured.
 */
export function slider({ label, safe, change, drag }) {
  const range = make("input", { type: "range", min: 0, max: END, step: 0.05, aria: { label } });
  const number = make("input", { type: "number", min: LEGAL[0], max: LEGAL[1], step: 0.05, aria: { label } });
  const element = make("div", { className: "supsae-slider" }, range, number);
  let still = 1; // where a double click leads
  const preview = () => {
    number.value = Number(range.value).toFixed(2);
    drag(Number(range.value));
  };
  holdWhileMoved(range, number);
  range.addEventListener("input", preview);
  range.addEventListener("change", () => change(Number(range.value)));
  range.addEventListener("dblclick", () => change(still));
  number.addEventListener("change", () => change(legal(number.value, Number(number.min), Number(number.max), still)));
  /** With `ends` the slider crosses the middle of two concepts. */
  function show(strength, range_, disabled, ends = false) {
    still = ends ? 0 : 1;
    range.min = ends ? -END : 0;
    [number.min, number.max] = ends ? [-END, END] : LEGAL;
    write(range, strength);
    write(number, Number(strength).toFixed(2));
    range.disabled = number.disabled = disabled;
    const [from, to] = range_ ?? [0, 0];
    element.style.setProperty("--safe-from", `${(100 * Math.max(from, 0)) / END}%`);
    element.style.setProperty("--safe-to", `${(100 * Math.min(to, END)) / END}%`);
    element.classList.toggle("supsae-unsafe", !disabled && Boolean(range_) && (strength < from || strength > to));
    element.title = say(ends ? "endsHelp" : range_ ? "sliderHelp" : "scaleHelp");
  }
  show(1, safe, false);
  return { element, show };
}

function legal(text, least, most, still) {
  const number = Number(text);
  return text === "" || Number.isNaN(number) ? still : Math.min(Math.max(number, least), most);
}
