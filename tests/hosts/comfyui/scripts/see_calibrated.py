"""Strength Sweep calibrates the slider of its edit's concept, and draws again with it."""

import tempfile
from pathlib import Path

from portraits_parts import RED, edited, learnt
from portraits_parts import plain as plain_prompt
from script_parts import equal, expect, refused
from see_parts import one

from supsae.hosts.comfyui import shelf
from supsae.hosts.comfyui.conditionings import edit
from supsae.hosts.comfyui.pictures import draw
from supsae.hosts.comfyui.sweeping import sweep
from supsae.supsae_core.dictionary.file import load_dictionary, save_dictionary
from supsae.supsae_core.editing.edits import Scale, Swap

AT = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25)
plain = sweep(one(batch=2), learnt, [RED], AT)
expect("uncalibrated", plain.dictionary is learnt)
made = sweep(one(batch=2), learnt, [RED], AT, calibrate=True)
(name, found) = next(iter(made.dictionary.sliders.items()))
expect("the edit's concept", name, "hair: red")
expect("pictures, then again", list(made.pictures.shape), [2 * len(AT) * 2, 64, 64, 3])
equal("the first ones as without", made.pictures[: len(plain.pictures)], plain.pictures)
again = made.pictures[len(plain.pictures) :]
for number in (0, 4, 5):
    equal(
        f"at {AT[number]:g} as before", again[2 * number : 2 * number + 2], plain.pictures[2 * number : 2 * number + 2]
    )
half = edit(plain_prompt, made.dictionary, [Swap("hair: red", 0.5)])[0]
equal("in between as Apply Edits makes it", again[4:6], draw(one(batch=2, positive=half)))
lines = made.report.splitlines()
expect("said before", lines[: len(plain.report.splitlines())], plain.report.splitlines())
told, drawn, evenness = lines[len(plain.report.splitlines()) :]
expect("said", told, f"calibrated hair: red on 2 pictures: safe from {found.low:g} to {found.high:g}")
expect("measured", [drawn, evenness.split(":")[0]], ["drawn again with it:", "evenness"])
expect("a row for each", made.sheet.height > 1.5 * plain.sheet.height)

several = [RED, Swap("background: forest")]
refused("one edit of one concept, not with 2", sweep, one(), learnt, several, AT, calibrate=True)
refused("a factor", sweep, one(), learnt, [Scale("hair: blond")], AT, calibrate=True)
refused("has not. Set it to 1", sweep, one(), learnt, [Swap("hair: red", 0.8)], AT, calibrate=True)
refused("at least 3 strengths between", sweep, one(), learnt, [RED], (0.0, 0.5, 1.0), calibrate=True)
refused("changes nothing in any", sweep, one(), learnt, [Swap("hair: blond")], AT, calibrate=True)

equal("1 is as it was", edited(RED)[0][0], edit(plain_prompt, made.dictionary, [RED])[0][0][0])
with tempfile.TemporaryDirectory() as folder:
    file = Path(folder) / "calibrated.safetensors"
    save_dictionary(made.dictionary, file)
    expect("kept in the file", load_dictionary(file).sliders, dict(made.dictionary.sliders))
    expect("no fit takes its place", shelf.holds(file, learnt), False)
    expect("it takes a fit's", shelf.holds(file, made.dictionary))
