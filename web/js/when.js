/** When a row of the Concept Mixer acts: from and to a share of sampling, fading, and inside the mask alone. */

import { holdWhileMoved, make, write } from "./dom.js";
import { say } from "./language.js";

const STILL = { from: 0, to: 1, ramp: 0, inside: false }; // what goes without saying
const LEAST = 0.01; // of a part of sampling

/** Return what a row says of when and where it acts, without what goes without saying. */
export function whenOf(row) {
  const own = Object.entries(STILL).map(([key, still]) => [key, row?.[key] ?? still]);
  return Object.fromEntries(own.filter(([key, value]) => value !== STILL[key]));
}

/** Return a row that acts at these times and places; legal whatever was typed. */
export function withWhen(row, when) {
  const { from: _, to: __, ramp: ___, inside: ____, ...rest } = row;
  return { ...rest, ...whenOf(legal({ ...STILL, ...when })) };
}

/** Tell whether two rows act at the same times and places. */
export function sameWhen(one, other) {
  return Object.entries(STILL).every(([key, still]) => (one?.[key] ?? still) === (other?.[key] ?? still));
}

function legal({ from, to, ramp, inside }) {
  const start = clip(from, 0, 1 - LEAST);
  const end = clip(to, start + LEAST, 1);
  return { from: start, to: end, ramp: clip(ramp, 0, (end - start) / 2), inside };
}

/** Return {element, show(row)}; `change` is called with {from, to, ramp, inside}. */
export function whenLine(category, change) {
  const number = () => make("input", { type: "number", min: 0, max: 100, step: 5, onchange: () => tell() });
  const inputs = { from: number(), to: number(), ramp: number() };
  const inside = make("input", { type: "checkbox", onchange: () => tell() });
  const part = (input, name, help) => {
    holdWhileMoved(input);
    input.setAttribute("aria-label", `${category}: ${name}`);
    return make("label", { title: help }, `${name} `, input, "%");
  };
  const element = make(
    "div", { className: "supsae-when", hidden: true },
    part(inputs.from, say("from"), say("fromHelp")), part(inputs.to, say("to"), say("toHelp")),
    part(inputs.ramp, say("ramp"), say("rampHelp")),
    make("label", { title: say("insideHelp") }, inside, ` ${say("inside")}`),
  );
  const share = (key) => (inputs[key].value === "" ? STILL[key] : Number(inputs[key].value) / 100);
  const tell = () => change({ from: share("from"), to: share("to"), ramp: share("ramp"), inside: inside.checked });
  function show(row) {
    for (const [key, input] of Object.entries(inputs)) write(input, String(round(100 * (row?.[key] ?? STILL[key]))));
    inside.checked = Boolean(row?.inside);
  }
  return { element, show };
}

const round = (value) => Math.round(100 * value) / 100;
const clip = (value, least, most) => Math.round(1e4 * Math.min(Math.max(value, least), most)) / 1e4;
