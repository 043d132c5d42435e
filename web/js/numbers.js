/** Numbers as a person says them. */

/** Spell a number in two digits or more. */
export function rounded(number) {
  return number >= 10 ? String(Math.round(number)) : number.toPrecision(2);
}

/** Spell bytes: "31 MB". */
export function size(bytes = 0) {
  const power = bytes >= 1e9 ? 3 : bytes >= 1e6 ? 2 : bytes >= 1e3 ? 1 : 0;
  return `${rounded(bytes / 1000 ** power)} ${["B", "kB", "MB", "GB"][power]}`;
}

/** Spell seconds: "45 s", "3:20 min", "2:05 h". */
export function time(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  const [large, small, unit] = whole < 3600 ? [Math.floor(whole / 60), whole % 60, "min"] : [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), "h"];
  return `${large}:${String(small).padStart(2, "0")} ${unit}`;
}
