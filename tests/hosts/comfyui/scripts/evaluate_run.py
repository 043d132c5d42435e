"""An evaluation that is stopped and goes on."""

import json
import re
import threading
import time
from pathlib import Path

import comfy.model_management
import folder_paths
from portraits_parts import clip, learnt, model, vae
from script_parts import between, expect

from supsae.evaluation.pictures import parts, run
from supsae.evaluation.pictures.run import EvalConfig
from supsae.hosts.comfyui.messages import PartsBar
from supsae.nodes import evaluate

parts.SIZES["tiny"] = parts.Size(
    headline=1, baselines=0, calibration=0, split=0, several=0, curve=1, removal=1, adapter=0, text=4
)
run.PROBE = 1
done = []
bar = PartsBar(lambda count, _: done.append(count))
one = bar.part("one", 4)
one(3), one(3)
two = bar.part("two", 2)
two(1), bar.step(None)
expect("a part takes no more than it said", done, [3, 4, 5, 5])
# 6 pictures for a swap, 3 for a removal, and one at each of 7 places of the slider and 2 beside
most = evaluate.most(parts.SIZES["tiny"])
expect("most", most, 6 + 3 + 9)


def stop_at_the_first_picture():
    while not pictures():
        time.sleep(0.01)
    comfy.model_management.interrupt_current_processing()


def pictures():
    return {one: one.read_bytes() for one in folder.rglob("*.png") if one.parent.parent.name == "pictures"}


folder = Path(folder_paths.get_output_directory()) / "supsae"
thread = threading.Thread(target=stop_at_the_first_picture)
thread.start()
try:
    evaluate.evaluate(learnt, clip, model, vae, EvalConfig("tiny", 7))
    expect("the interrupt", "not raised", "raised")
except comfy.model_management.InterruptProcessingException:
    pass
thread.join()
kept = pictures()
made = evaluate.EvaluateDictionaryNode.execute(clip, learnt, "tiny", 7, model, vae)
after = pictures()
expect("kept pictures stay", kept.items() <= after.items())
between("kept pictures", 0, len(kept), len(after))
(own,) = folder.iterdir()
expect("folder", bool(re.fullmatch("evaluation-[0-9a-f]{16}-tiny-7", own.name)), True)
results = json.loads((own / "results.json").read_text())
expect("sections", list(results["sections"]), ["text", "headline", "removal", "strength"])
expect("counted", results["pictures"], len(after))
between("pictures", 0, len(after), most + 1)
report, plot = made.args
expect("files are named", all(f"{own.name}/{file}" in report for file in ("results.json", "report.html")))
expect("plot", [plot.shape[0], plot.shape[3], min(plot.shape[1:3]) > 200, float(plot.std()) > 0.05], [1, 3, True, True])
expect("shown", len(made.ui["images"]), 1)
