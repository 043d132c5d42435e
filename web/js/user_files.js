/** Presets as files of the user's, in ComfyUI's own folder for them: user/default/supsae/presets. */

import { api } from "../../../scripts/api.js";

const FOLDER = "supsae/presets";
const MOST = 65536; // characters of a preset

/** Return the names of all presets. */
export async function presetNames() {
  const found = await api.listUserDataFullInfo(FOLDER);
  return found.map((one) => one.path.split("/").pop()).filter((name) => name.endsWith(".json")).map((name) => name.slice(0, -5)).sort();
}

/** Return the text of a preset; null if it is gone or too long to be one. */
export async function readPreset(name) {
  const response = await api.getUserData(pathOf(name));
  const text = response.ok ? await response.text() : null;
  return text !== null && text.length <= MOST ? text : null;
}

export async function writePreset(name, text) {
  await api.storeUserData(pathOf(name), text, { overwrite: true, stringify: false, throwOnError: true });
}

export async function removePreset(name) {
  await api.deleteUserData(pathOf(name));
}

/** Return a name that is one on every system: letters, digits, blanks, - and _; empty if nothing is left. */
export function presetName(text) {
  return text.normalize("NFC").replace(/\.json$/i, "").replace(/[^\p{L}\p{N} _-]+/gu, "").replace(/\s+/g, " ").trim().slice(0, 60);
}

const pathOf = (name) => `${FOLDER}/${name}.json`;
