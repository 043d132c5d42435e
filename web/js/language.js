/** Messages in the frontend's language; what is not translated is said in English. They lie in locales/<language>/main.json. */

import { Sentences } from "./sentences.js";
import { TemplateWords } from "./templates.js";

let languages = {};
const sentences = new Map(); // language → Sentences, made when the first is asked for
let locale = () => "en";

/**
 * Read the messages once.
 *
 * @param {() => Promise<object>} read resolves to language → what its main.json and nodeDefs.json hold.
 * @param {() => string} current returns the frontend's language, such as "zh".
 */
export async function loadLanguages(read, current) {
  locale = current;
  try {
    languages = await read();
  } catch {
    languages = {}; // keys are shown: ugly, but everything works
  }
}

/** Return the frontend's language, such as "zh" or "zh-TW". */
export function language() {
  return locale();
}

/** Return {name, tooltip} of a node's input as nodeDefs.json has them, undefined where they are not translated. */
export function inputTexts(node, input) {
  const known = [locale(), locale().split("-")[0]].map((one) => languages[one]?.nodeDefs?.[node]?.inputs?.[input.replaceAll(".", "_")]);
  return known.find((one) => one !== undefined);
}

/** Return what Python says in the frontend's language; English where it is not translated. */
export function translated(text) {
  const one = [locale(), locale().split("-")[0]].find((name) => languages[name]?.supsae_reports);
  if (!one || !text) return text;
  if (!sentences.has(one)) sentences.set(one, new Sentences(languages[one].supsae_reports));
  return sentences.get(one).translated(text);
}

/** Return what writes the words of a template in the frontend's language. */
export function templateWords() {
  const known = Object.entries(languages).filter(([, one]) => one.supsae_templates);
  const tables = Object.fromEntries(known.map(([name, one]) => [name, one.supsae_templates]));
  return new TemplateWords(tables, [locale(), locale().split("-")[0]].find((name) => tables[name]));
}

/** Return a message with its {names} replaced. */
export function say(key, values = {}) {
  const known = [locale(), locale().split("-")[0], "en"].map((one) => languages[one]?.supsae?.[key]);
  const text = known.find((one) => one !== undefined) ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}
