/** The words of a dictionary, carried along in the workflow: who lacks the file sees them, and can learn it again. */

import { own } from "./mix.js";

const KEY = "supsae_words"; // property of the node, which a workflow and a picture keep
const MOST = 65536; // characters of words that are carried

/** Keep the words of a file with the node: {category: {concept: [phrase]}}. */
export function carry(node, name, words) {
  const kept = { name, words };
  if (JSON.stringify(words).length > MOST) return;
  if (JSON.stringify(node.properties?.[KEY]) !== JSON.stringify(kept)) node.properties = { ...node.properties, [KEY]: kept };
}

/** Return the words that the node carries of a file; null if there are none, or they are no words. */
export function carried(node, name) {
  const kept = own(node.properties, KEY);
  return kept?.name === name && isTable(kept.words) ? kept.words : null;
}

/** Return words as the text of a Concept Table. */
export function tableText(words) {
  const line = (concept, phrases) => `  ${JSON.stringify(concept)}: ${JSON.stringify(phrases)}`;
  const part = ([category, concepts]) => [`${JSON.stringify(category)}:`, ...Object.entries(concepts).map((one) => line(...one))];
  return Object.entries(words).flatMap(part).join("\n");
}

/** Return words in a line: "hair: red, blond; hat: crown". */
export function inALine(words) {
  return Object.entries(words).map(([category, concepts]) => `${category}: ${Object.keys(concepts).join(", ")}`).join("; ");
}

const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
const isPhrases = (value) => Array.isArray(value) && value.every((one) => typeof one === "string");
const isTable = (value) => isObject(value) && Object.values(value).every((one) => isObject(one) && Object.values(one).every(isPhrases));
