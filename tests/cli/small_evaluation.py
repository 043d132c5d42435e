"""Evaluations of few cases, whose rivals are trained in few steps: for a test, and as a script under torchrun.

``small_evaluation.py FOLDER MODE…`` runs modes one after the other, each in a group of its own: starting ranks takes
longer than what they do here. What a rank prints in a mode is in a file of the folder.
"""

import importlib
import os
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from supsae.cli.parser import main
from supsae.training.fit import fit_dictionary
from supsae.training.solvers.exact import ExactConfig

QUICK = partial(fit_dictionary, config=ExactConfig(common_ridges=(10.0,), shared_ridges=(3.0,), own_ridges=(30.0,)))
"""One candidate in place of the search for the best ridges."""

MODES = {
    "pictures": ("eval", "--quick", "--parts", "text", "headline", "strength", "several"),
    "no pictures": ("eval", "--quick", "--no-pictures"),
    "rows": ("eval", "--quick", "--text", "--mention", "0.75", "--seed", "1"),
    "paper": ("reproduce", "--prompts", "40", "--calibration", "6", "--swaps", "2"),
}
"""Mode → what a person types."""


# Each imports what it changes: diffusers takes seconds, and not all need it.


def _pictures(patch: Any) -> None:
    from supsae.evaluation.pictures import gallery, parts, run

    patch.setitem(parts.SIZES, "quick", parts.Size(headline=3, baselines=1, curve=2, several=1, text=20))
    patch.setattr(gallery, "BATCH", 2)
    patch.setattr(run, "PROBE", 1)


def _drawn(patch: Any) -> None:
    from supsae.evaluation.baselines import chosen_tokens, flattened_ridge, latents, paper
    from supsae.evaluation.baselines.topk import TopKConfig
    from supsae.evaluation.pictures import methods, renderer, run

    _pictures(patch)
    for name, few in (("FEW", 40), ("CALIBRATION", 6), ("_prompts", lambda dictionary: 60)):
        patch.setattr(run, name, few)
    learnt = {
        "TopK auto-encoder": partial(latents.fit, config=TopKConfig(steps=5)),
        methods.LINEAR: flattened_ridge.fit,
    }
    learnt["paper"] = partial(paper.fit, config=paper.PaperConfig(epochs=3))
    patch.setattr(methods, "BASELINES", learnt)
    patch.setattr(methods, "TOLD", {"chosen tokens": chosen_tokens.fit})
    patch.setattr(methods, "fit_dictionary", QUICK)
    patch.setattr(renderer, "diffusers_renderer", partial(renderer.diffusers_renderer, steps=3))


def _rows(patch: Any) -> None:
    from supsae.evaluation.baselines import sparse_direction
    from supsae.evaluation.baselines.paper import PaperConfig
    from supsae.evaluation.baselines.topk import TopKConfig
    from supsae.evaluation.text import asked, bench, reconstruction, rivals
    from supsae.training.capture import CaptureConfig

    patch.setitem(bench.ENCODINGS, "quick", (40, 60))
    patch.setattr(bench, "CaptureConfig", partial(CaptureConfig, calibration=6))
    patch.setattr(bench, "fit_dictionary", QUICK)
    patch.setattr(reconstruction, "PaperConfig", partial(PaperConfig, epochs=3))
    patch.setattr(reconstruction.topk, "TopKConfig", partial(TopKConfig, steps=5))
    one = {"sparse direction": partial(sparse_direction.fit, config=TopKConfig(steps=5))}
    patch.setattr(rivals, "BASELINES", one)
    patch.setitem(asked.SIZES, "quick", asked.Counts(swaps=2, others=1, several=1))
    patch.setitem(reconstruction.PROMPTS, "quick", 80)


def _paper(patch: Any) -> None:
    from supsae.cli import reproducing
    from supsae.evaluation.reproduction import models
    from supsae.hosts.diffusers import studio

    patch.setattr(reproducing, "PUBLISHED", replace(reproducing.PUBLISHED, epochs=3))
    patch.setattr(reproducing, "ReproduceConfig", partial(reproducing.ReproduceConfig, qualifying=1))
    patch.setattr(models, "fit_dictionary", QUICK)
    patch.setattr(studio, "draw_portraits", partial(studio.draw_portraits, steps=3))


SMALLER: dict[str, Callable[[Any], None]] = {
    "pictures": _drawn, "no pictures": _pictures, "rows": _rows, "paper": _paper,
}  # fmt: skip
"""Mode → what makes it small."""


def run(mode: str, out: Path) -> int:
    """Run a mode, as small as it is here, and return what the command returns."""
    with pytest.MonkeyPatch.context() as patch:
        SMALLER[mode](patch)
        return main([*MODES[mode], "--out", str(out)])


def find_apart(mode: str, patch: Any) -> None:
    """Have ranks look for one another under a mode's name: the place that torchrun gives them remembers who left."""
    from torch.distributed import PrefixStore

    module = importlib.import_module("torch.distributed.rendezvous")
    found = module.rendezvous

    def named(*given: Any, **more: Any) -> Any:
        return ((PrefixStore(mode, store), *rest) for store, *rest in found(*given, **more))

    patch.setattr(module, "rendezvous", named)


def run_as_rank(folder: Path, modes: list[str]) -> int:
    """Run modes as one of torchrun's ranks, until one fails."""
    for mode in modes:
        with (
            (folder / f"{mode} {os.environ['RANK']}.txt").open("w", encoding="utf-8") as said,
            redirect_stdout(said),
            pytest.MonkeyPatch.context() as patch,
        ):
            find_apart(mode, patch)
            code = run(mode, folder / mode)
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(run_as_rank(Path(sys.argv[1]), sys.argv[2:]))
