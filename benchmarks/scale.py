"""How a fit grows with prompts and concepts, at SD3.5's size: ``python benchmarks/scale.py``; writes
``benchmarks/results/scale.json``.

Captures are made of a stand-in for the text encoders (``stand_in.py``), in a folder that is kept if it is given, else
dropped. Each measurement runs in a process of its own on one thread: CPU seconds, and the most memory it took. *Levels*
is a fit without the edit operator and calibration. The limit is what reading the capture once takes. With a checkout of
the paper's public code the largest prompts of 14 concepts are fitted by its classes too (``paper_code.py``).
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import writing

CONCEPTS, PROMPTS = (14, 50, 100), (300, 750, 1500)
EACH = {14: 2}
"""Concepts → of a category; ten where it is not listed."""
CALIBRATION, READ = 32, 12
EPOCHS = 300
"""Times that the paper's code goes over prompts which it holds in memory."""
LAW, EACH_IN = (100, 200, 400), 20
"""Concepts of the narrow encoder, and prompts a concept."""
MODELS, DTYPES = ("t5", "block"), ("float32", "bfloat16")
"""What ``layers.py`` measures."""
MANY = 1500, 14
"""Prompts and concepts where the other one is varied."""


class StopError(Exception):
    """The levels are fitted."""


# --- one measurement, in a process of its own -----------------------------------------------------------------------


def measured(asked: dict[str, Any]) -> dict[str, Any]:
    """Do what is asked of a capture, and return CPU seconds and the most memory in GB."""
    import torch

    torch.set_num_threads(1)
    began = time.process_time()
    found = DONE[asked["what"]](asked)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return {"cpu_seconds": round(time.process_time() - began, 2), "memory_gb": round(memory, 2), **(found or {})}


def capture(asked: dict[str, Any]) -> dict[str, Any]:
    """Write a capture."""
    from stand_in import Narrow, StandIn, table

    from supsae.training.capture import CaptureConfig, capture_text, plan_text

    concepts = asked["concepts"]
    config, host = CaptureConfig(asked["prompts"], CALIBRATION), Narrow() if asked.get("narrow") else StandIn()
    plan = plan_text(table(concepts, EACH.get(concepts, 10)), host, config)
    made = capture_text(host, asked["folder"], plan)
    return {"mb_a_prompt": round(made.size() / 1e6 / len(plan.entries), 3)}


def read_once(asked: dict[str, Any]) -> None:
    """Read a capture, with its hashes."""
    from supsae.supsae_core.capture.captures import load_capture

    for _ in load_capture(asked["folder"]).read("fit"):
        pass


def levels(asked: dict[str, Any]) -> None:
    """Fit without the edit operator."""
    from supsae.supsae_core.capture.captures import load_capture
    from supsae.training import fit

    def stop(*_: object) -> None:
        raise StopError

    fit.fit_operators = stop
    try:
        fit.fit_dictionary(load_capture(asked["folder"]))
    except StopError:
        return


def whole(asked: dict[str, Any]) -> dict[str, Any]:
    """Fit, and save the dictionary beside the capture."""
    from supsae.supsae_core.capture.captures import load_capture
    from supsae.supsae_core.dictionary.file import save_dictionary
    from supsae.training.fit import fit_dictionary

    made = fit_dictionary(load_capture(asked["folder"]))
    save_dictionary(made, Path(asked["folder"], "dictionary.safetensors"))
    parts = made.report["parts"]
    return {"fvu_slot": {name: round(one["fvu_slot"], 4) for name, one in parts.items()}}


def read_prompts(asked: dict[str, Any]) -> dict[str, Any]:
    """Read conditionings with the dictionary."""
    from stand_in import StandIn

    from supsae.supsae_core.dictionary.file import load_dictionary
    from supsae.supsae_core.reading.readout import read_conditioning
    from supsae.supsae_core.table.prompts import draw_prompt

    learnt, host = load_dictionary(Path(asked["folder"], "dictionary.safetensors")), StandIn()
    rng, took, right = np.random.default_rng(5), [], 0
    while len(took) < READ + 1:  # the first is not counted: it makes what all share
        prompt = draw_prompt(learnt.table, rng)
        if sum(host.counts(prompt.words)["clip_l"]) <= 75:
            (cond,), _ = host.encode([prompt.text])
            began = time.process_time()
            said = read_conditioning(learnt, cond).concepts(learnt)
            took.append(time.process_time() - began)
            right += sorted(said) == sorted(prompt.support(learnt.table))
    return {"read_ms": round(1000 * median(took[1:])), "right": right / len(took)}


def mix_prompts(asked: dict[str, Any]) -> dict[str, Any]:
    """Swap two concepts of every prompt as the mixer does: read, edit, and read again; each apart, and all."""
    import torch
    from stand_in import StandIn

    from supsae.hosts.comfyui import conditionings, edit_reports
    from supsae.supsae_core.dictionary.file import load_dictionary

    learnt, host = load_dictionary(Path(asked["folder"], "dictionary.safetensors")), StandIn()
    rng, took = np.random.default_rng(5), {name: list[float]() for name in ("read_ms", "edit_ms", "again_ms", "all_ms")}
    while len(took["all_ms"]) < READ + 1:
        asked_for = _two_swaps(learnt.table, host, rng)
        if asked_for is None:
            continue
        text, edits = asked_for
        cond, pooled = map(torch.stack, host.encode([text]))
        entry, times = [[cond, {"pooled_output": pooled}]], [time.process_time()]
        conditionings.edit_places(entry, learnt, ())
        times.append(time.process_time())
        made = conditionings.edit_places(entry, learnt, edits, edits)
        times.append(time.process_time())
        edit_reports.read_again(learnt, made.edited)
        read, both, again = np.diff([*times, time.process_time()])
        for name, one in zip(took, (read, both - read, again, both + again), strict=True):
            took[name].append(one)
    return {name: round(1000 * median(some[1:])) for name, some in took.items()}


def _two_swaps(table: Any, host: Any, rng: np.random.Generator) -> tuple[str, tuple[Any, ...]] | None:
    """Draw a prompt, and swaps of two of its categories; None of one that is too long or speaks of fewer."""
    from supsae.supsae_core.editing.edits import Turn
    from supsae.supsae_core.table.prompts import draw_prompt

    prompt = draw_prompt(table, rng)
    said = prompt.support(table)
    spoken = list(dict.fromkeys(table.concepts[one].category for one in said))[:2]
    if len(spoken) < 2 or sum(host.counts(prompt.words)["clip_l"]) > 75:
        return None
    others = ([one for one in table.category(name) if one not in said] for name in spoken)
    return prompt.text, tuple(Turn(str(table.concepts[int(rng.choice(some))])) for some in others)


def layers(asked: dict[str, Any]) -> dict[str, Any]:
    """Run a layer of a model that reading and editing stand beside."""
    import layers

    return layers.layers(asked)


def paper(asked: dict[str, Any]) -> dict[str, Any]:
    """Measure a part of what the paper's code does, or what ours leaves of the same prompts."""
    import paper_code

    return paper_code.MEASURED[asked["part"]](asked)


DONE = {
    "capture": capture, "read once": read_once, "levels": levels, "whole": whole, "read prompts": read_prompts,
    "mix prompts": mix_prompts, "layers": layers, "paper": paper,
}  # fmt: skip
"""What can be measured → its function."""


# --- all of them ----------------------------------------------------------------------------------------------------


def in_process(**asked: Any) -> dict[str, Any]:
    """Measure in a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, "--asked", json.dumps(asked)], check=True, capture_output=True, text=True
    )
    found = json.loads(done.stdout.splitlines()[-1])
    print(asked, found, flush=True)
    return found


def row(folder: Path, prompts: int, concepts: int, *, everything: bool) -> dict[str, Any]:
    """Measure a capture of so many prompts and concepts; the edit operator and reading only if asked."""
    own = str(folder / f"{prompts}-{concepts}")
    asked = {"folder": own, "prompts": prompts, "concepts": concepts}
    found = {one: in_process(what=one, **asked) for one in ("capture", "read once", "levels")}
    if everything:
        found |= {one: in_process(what=one, **asked) for one in ("whole", "read prompts", "mix prompts")}
    return {"prompts": prompts, "concepts": concepts, **found}


def law(folder: Path) -> list[dict[str, Any]]:
    """Fit the levels of ever more concepts, each in as many prompts, of one narrow encoder."""
    found = []
    for concepts in LAW:
        asked = {"folder": str(folder / f"narrow-{concepts}"), "prompts": EACH_IN * concepts, "concepts": concepts}
        found.append(asked | {one: in_process(what=one, narrow=True, **asked) for one in ("capture", "levels")})
    return found


def beside_the_paper(folder: Path, prompts: int, concepts: int, checkout: Path) -> dict[str, Any]:
    """Fit a capture's prompts with the paper's code, in their own wording and in its own."""
    asked = {"what": "paper", "folder": str(folder / f"{prompts}-{concepts}"), "checkout": str(checkout)}
    asked |= {"prompts": prompts, "epochs": EPOCHS}
    found: dict[str, Any] = {"prompts": prompts, "concepts": concepts}
    for wording in ("free", "fixed"):
        own = {**asked, "wording": wording, "data": str(folder / f"{prompts}-{concepts}-{wording}")}
        found[wording] = {part: in_process(part=part, **own) for part in ("data", "published", "cached")}
    free = {**asked, "data": str(folder / f"{prompts}-{concepts}-free")}
    return {**found, "ours": in_process(part="ours", **free)}


def exponent(sizes: Sequence[float], values: Sequence[float]) -> float:
    """Return the power of the sizes that values grow with, by least squares of their logarithms."""
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def exponents(rows: Sequence[dict[str, Any]], by: str, other: int) -> dict[str, float]:
    """Return how CPU seconds and memory of the levels grow with ``by``, where the other size is as given."""
    fixed = {"prompts": "concepts", "concepts": "prompts"}[by]
    some = [one for one in rows if one[fixed] == other]
    values = {name: [one["levels"][name] for one in some] for name in ("cpu_seconds", "memory_gb")}
    return {name: round(exponent([one[by] for one in some], found), 2) for name, found in values.items()}


def main() -> None:
    """Parse the command line, measure, write and print."""
    parser = writing.parser(__file__, __doc__)
    parser.add_argument("--folder", type=Path, help="keep the captures here, and take those that are there")
    parser.add_argument("--concepts", type=int, nargs="+", default=list(CONCEPTS))
    parser.add_argument("--prompts", type=int, nargs="+", default=list(PROMPTS))
    parser.add_argument("--checkout", type=Path, help="the paper's public code, to fit the same prompts with it")
    parser.add_argument("--law", action="store_true", help="fit ever more concepts of one narrow encoder too")
    parser.add_argument("--asked", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.asked:
        print(json.dumps(measured(json.loads(args.asked))))
        return
    prompts, concepts = MANY
    few = min(args.prompts)
    sizes = [(few, one) for one in args.concepts] + [(one, concepts) for one in args.prompts]
    sizes += [(prompts, one) for one in args.concepts]
    with tempfile.TemporaryDirectory() as dropped:
        folder = args.folder or Path(dropped)
        rows = [row(folder, *one, everything=one[0] == few) for one in dict.fromkeys(sizes)]
        largest = max(args.prompts), concepts
        beside = beside_the_paper(folder, *largest, args.checkout) if args.checkout else None
        narrow = law(folder) if args.law else None
    models = {one: {kind: in_process(what="layers", layer=one, dtype=kind) for kind in DTYPES} for one in MODELS}
    grows = {by: exponents(rows, by, other) for by, other in (("prompts", concepts), ("concepts", prompts))}
    found = {"rows": rows, "exponents of the levels": grows, "beside the paper's code": beside}
    writing.write({**found, "ever more concepts of a narrow encoder": narrow, "layers of models": models}, args.out)


if __name__ == "__main__":
    main()
