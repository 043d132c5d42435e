"""An evaluation that is stopped and goes on."""

import json
import threading
import time
from pathlib import Path

import comfy.model_management
import folder_paths
from evaluate_parts import clip, learnt, model, tiny, vae
from script_parts import tell

from supsae.evaluation.pictures import parts
from supsae.hosts.comfyui.messages import PartsBar
from supsae.nodes import evaluate

seen = {}
done = []
bar = PartsBar(lambda count, _: done.append(count))
one = bar.part("one", 4)
one(3), one(3)
two = bar.part("two", 2)
two(1), bar.step(None)
seen["bar"], seen["most"] = done, evaluate.most(parts.SIZES["tiny"])


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
    evaluate.evaluate(learnt, clip, model, vae, tiny)
except comfy.model_management.InterruptProcessingException:
    seen["interrupted"] = True
thread.join()
kept = pictures()
made = evaluate.EvaluateDictionaryNode.execute(clip, learnt, "tiny", 7, model, vae)
after = pictures()
seen["kept"] = [len(kept), len(after), kept.items() <= after.items()]
seen["folder"] = [one.name for one in folder.iterdir()]
results = json.loads((next(folder.iterdir()) / "results.json").read_text())
seen["sections"], seen["counted"] = list(results["sections"]), results["pictures"]
seen["report"], seen["plot"] = made.args[0], [*made.args[1].shape, float(made.args[1].std())]
seen["shown"] = len(made.ui["images"])
tell(seen)
