"""Check Model from its sockets to its files: with Portraits, a family of random weights, and CLIPs that do not fit.

``model_checked NAME``: ``portraits``, a family of ``family_text``, or ``mage-flow``, which is of none.
"""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import family_text
import folder_paths
import model_shapes
import torch
from portraits_parts import clip, model, vae
from script_parts import between, expect

from supsae.hosts.comfyui import checking
from supsae.nodes.check import CheckModelNode

(name,) = sys.argv[1:]
FOLDER = Path(folder_paths.get_output_directory()) / "supsae"


class Decoder:
    """Portraits' decoder for latents of 16 channels; of others the first three are the picture."""

    encode = None

    def decode(self, latents):
        latents = latents.flatten(1, 2) if latents.ndim == 5 else latents
        return vae.decode(latents) if latents.shape[1] == 16 else latents[:, :3].movedim(1, -1).sigmoid()


def run(*sockets, **how):
    """Run the node and return its sheet, its report and what it wrote."""
    made = CheckModelNode.execute(*sockets, **{"width": 64, "height": 64, "steps": 2, **how})
    own = FOLDER / made.args[1].partition("output/supsae/")[2].partition(":")[0]
    return *made.args, json.loads((own / "check.json").read_text(encoding="utf-8")), own, made.ui


if name == "portraits":
    sheet, report, found, own, ui = run(
        clip, encodings=60, model=model, vae=vae, pictures=2, width=128, height=128, steps=6
    )
    expect("nothing is crossed", [line for line in report.splitlines() if line.startswith("✗")], [])
    marks = {one: check["holds"] for one, check in found["checks"].items()}
    expect("all is tried", [one for one, holds in marks.items() if holds is None], [])
    expect("blocks", {key: found["checks"]["blocks"][key] for key in ("depth", "heard", "same")},
           {"depth": 3, "heard": 3, "same": True})  # fmt: skip
    between("pictures follow", 0, found["checks"]["pictures"]["ratio"], 0.9)
    between("rows follow", 0, found["checks"]["swaps"]["SupSAE"]["error"]["estimate"], 0.7)
    expect("verdict", found["verdict"][0]["level"] in ("good", "fair"))
    expect("the report ends with it", found["verdict"][0]["sentence"], report.splitlines()[-1])
    expect("panel", [ui["supsae_report"][0]["level"], len(ui["images"])], [found["verdict"][0]["level"], 1])
    between("sheet: lines above two rows of three pictures", 800, sheet.shape[1], 1600)
    expect("files", sorted(file.name for file in own.iterdir()), ["check.html", "check.json", "check.png"])
    told = (own / "check.json").read_text(encoding="utf-8") + (own / "check.html").read_text(encoding="utf-8")
    expect("no folder of this machine", str(FOLDER.parent) in told or str(Path.home()) in told, False)
    expect("again beside it", run(clip, encodings=60)[3].name, f"{own.name}_2")
    graph = {
        "1": {"inputs": {"ckpt_name": "mine\\secret\\best.safetensors"}},
        "2": {"inputs": {"model": ["1", 0], "lora_name": "a/b/look.safetensors", "text": "my own prompt"}},
        "3": {"inputs": {"clip": ["2", 1], "model": ["2", 0], "table": ["4", 0]}},
        "4": {"inputs": {"file": "other.ckpt"}},
    }
    expect(
        "files behind", checking.files_behind(graph, "3", ("clip", "model")), ["look.safetensors", "best.safetensors"]
    )
    expect("nobody's", checking.files_behind(None, None, ("clip",)), [])
elif name == "mage-flow":  # Krea 2's tokens and other rows: it cannot work, and says so
    _, report, found, own, ui = run(family_text.clip(name), encodings=60)
    expect(
        "verdict", [found["verdict"][0]["level"], "does not work" in found["verdict"][0]["sentence"]], ["poor", True]
    )
    expect("the first cross", [line for line in report.splitlines() if line[:1] == "✗"][0].startswith("✗ rows: "))
    expect("nothing was learnt", "learning" in found["checks"], False)
    expect("panel", ui["supsae_report"][0]["level"], "poor")
    strange = SimpleNamespace(tokenize=lambda *_, **__: {"other": [[(0, 1.0)]]}, encode_from_tokens=None)
    _, report, found, own, _ = run(strange)
    expect(
        "a CLIP of no family", [own.name, found["family"], list(found["checks"])], ["check-unknown", None, ["family"]]
    )
    expect("is told by its keys", "text encoders other (1 tokens for an empty prompt)" in report)
else:
    torch.manual_seed(0)
    shape = model_shapes.build(name)
    sheet, report, found, own, _ = run(
        family_text.clip(name), encodings=60, model=shape, vae=Decoder(), pictures=1, cfg=1.5
    )
    checks = found["checks"]
    expect("layout", [checks[one]["holds"] for one in ("family", "rows", "words", "weights", "learning")], [True] * 5)
    expect("family", found["family"], name)
    read_as_words = "read as words" in checks["weights"]["told"]
    expect("language models read weights, others weigh by them", read_as_words, name == "qwen-image")
    error = checks["swaps"]["SupSAE"]["error"]
    between("random layers are followed", 0, error["estimate"], 0.75)
    expect("a tick is no more than a share below doing nothing", checks["swaps"]["holds"], error["high"] < 1)
    expect("every line is in the report", [one for one in checks if f" {one}: " not in report], [])
    if name in ("qwen-image", "chroma"):
        expect("without pads adds are not compared", checks["adds"]["holds"], None)
        expect("and are read again", checks["read again"]["count"] > checks["swaps"]["SupSAE"]["error"]["count"])
    if name == "sdxl":
        expect(
            "its blocks are not known", [checks["blocks"]["holds"], "SDXL" in checks["blocks"]["told"]], [False, True]
        )
    else:
        blocks = checks["blocks"]
        expect("blocks", [blocks["heard"], blocks["same"]], [blocks["depth"], True])
print(report)
