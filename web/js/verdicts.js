/** What can become of a row's edit, as the server spells it, from what is no fault to the worst; icon and message of each. */

export const LEFT_OUT = "left out";
const SIGNS = {
  "nothing to change": ["pi-minus", "idle", "supsae-pale"], took: ["pi-check", "tookIt", "supsae-took-0"],
  weak: ["pi-minus-circle", "tookWeakly", "supsae-took-1"], "did not take": ["pi-times-circle", "tookNot", "supsae-took-2"],
  [LEFT_OUT]: ["pi-ban", "leftOut", "supsae-took-2"],
}; // verdict → icon, message, class
export const VERDICTS = Object.keys(SIGNS);

/** Return icon, message and class of a verdict; undefined where it is none. */
export function signOf(verdict) {
  return Object.hasOwn(SIGNS, verdict ?? "") ? SIGNS[verdict] : undefined;
}
