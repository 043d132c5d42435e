/** Rows of a Concept Mixer part of the way from one mix to another. */

import { keyOf, rowOf } from "./mix.js";

/**
 * Return rows that are `share` (0 … 1) of the way to others; at the ends they are the one or the other.
 *
 * Strengths of one concept glide. Of two concepts the nearer one is said, less strongly; what only one of the two mixes
 * has fades. A padlock closes or opens half way.
 */
export function blended(rows, others, share) {
  if (share <= 0) return rows;
  if (share >= 1) return others;
  const names = [...Object.keys(rows), ...Object.keys(others).filter((name) => keyOf(Object.keys(rows), name) === undefined)];
  const made = names.map((name) => [name, between(rowOf(rows, name), rowOf(others, name), share)]);
  return Object.fromEntries(made.filter(([, row]) => row !== null));
}

function between(one, other, share) {
  const [near, part] = share < 0.5 ? [one, 1 - share] : [other, share];
  if (one && other && alikeKind(one, other)) return glided(one, other, share);
  if (!one || !other) return fadedRow(one ?? other, one ? 1 - share : share);
  return fadedRow(near, part);
}

function alikeKind(one, other) {
  if ("say" in one && "say" in other) return keyOf([one.say ?? ""], other.say ?? "") !== undefined;
  if (one.between && other.between) return one.between.every((end, index) => keyOf([end], other.between[index]) !== undefined);
  return "scale" in one && "scale" in other;
}

function glided(one, other, share) {
  const key = ["strength", "position", "scale"].find((name) => name in one || name in other) ?? "strength";
  const [from, to] = [one[key] ?? 1, other[key] ?? 1];
  if (![from, to].every(Number.isFinite)) return share < 0.5 ? one : other; // a stranger's file: the server says what is wrong
  return { ...(share < 0.5 ? one : other), [key]: round(from + (to - from) * share) };
}

/** A row that does less; null where nothing is left of it. */
function fadedRow(row, part) {
  if (row.keep || row.between || !Number.isFinite(row.scale ?? row.strength ?? 1)) return part >= 0.5 ? row : null;
  if ("scale" in row) return { ...row, scale: round(1 + (row.scale - 1) * part) };
  return { ...row, strength: round((row.strength ?? 1) * part) };
}

const round = (value) => Math.round(1e4 * value) / 1e4;
