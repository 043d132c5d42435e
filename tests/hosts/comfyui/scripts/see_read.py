"""Read Prompt."""

import json

from script_parts import error, tell
from see_parts import encode, learnt

from supsae.hosts.comfyui.prompt_reading import as_json, as_text, read_prompt

seen = {}
weighted = encode("a portrait with (blond hair:1.3), (green eyes:0.8), smiling")
area = [encode("red hair")[0][0], {**encode("red hair")[0][1], "area": (8, 8, 0, 0)}]
found = read_prompt([*weighted, area], learnt)
seen["json"] = json.loads(as_json(found))
seen["text"] = as_text(found)
seen["alone"] = as_text(read_prompt(encode(""), learnt)).splitlines()[0]
seen["empty"] = error(read_prompt, [], learnt)
tell(seen)
