"""What each level of the solver is worth: ``python benchmarks/ablations.py``; writes ``results/ablations.json``.

Portraits' text encoders alone, no picture drawn: the package's own fit with one option changed, judged by the package's
own text metrics on the same swaps into pairs of concepts that no fit saw together.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import shared
import torch
from tqdm import tqdm

from supsae.evaluation.text.cases import TextConfig
from supsae.evaluation.text.metrics import plain, text_metrics
from supsae.hosts.embedded import PortraitsText
from supsae.supsae_core.capture.captures import Capture
from supsae.supsae_core.dictionary.model import Dictionary
from supsae.supsae_core.host import TextHost
from supsae.training import fit
from supsae.training.solvers.effects import NEVER
from supsae.training.solvers.exact import ExactConfig

SEED = 90210
SIZES = (1500, 300, 50)
"""Prompts to fit on."""
NONE = (NEVER,)
"""Candidates of a level that is to do nothing."""
OPTIONS: dict[str, ExactConfig] = {
    "as it is": ExactConfig(),
    "no effect of context": ExactConfig(common_ridges=NONE, shared_ridges=NONE, own_ridges=NONE),
    "no effect that all slots share": ExactConfig(common_ridges=NONE),
    "no effect that a category shares": ExactConfig(shared_ridges=NONE),
    "neither": ExactConfig(common_ridges=NONE, shared_ridges=NONE),
    "no deviation of a phrase": ExactConfig(own_ridges=NONE),
    "code width 16": ExactConfig(rank=16),
    "code width 32": ExactConfig(rank=32),
    "code width 64": ExactConfig(rank=64),
}
"""Variant → the solver's options."""


def uncalibrated(dictionary: Dictionary) -> Dictionary:
    """Return a dictionary whose strength 1 is what the solver found, not what writing the word does."""
    parts = {name: replace(part, gains=torch.ones_like(part.gains)) for name, part in dictionary.parts.items()}
    return replace(dictionary, parts=parts)


def fitted(capture: Capture) -> Iterator[tuple[str, Dictionary]]:
    """Fit every variant to a capture."""
    for name, options in OPTIONS.items():
        made = fit.fit_dictionary(capture, "exact", options)
        yield name, made
        if name == "as it is":
            yield "not calibrated", uncalibrated(made)


def measured(dictionary: Dictionary, host: TextHost, config: TextConfig) -> dict[str, Any]:
    """Return what the text metrics say of swaps into unseen pairs."""
    found = text_metrics(dictionary, host, config).splits["unseen"]
    parts = {name: {"fvu_slot": part.fvu_slot, "undone": part.undone} for name, part in found.parts.items()}
    return plain({"swaps": found.swaps, "located": found.located, "parts": parts})


def ablate(host: TextHost, sizes: tuple[int, ...], config: TextConfig) -> dict[str, dict[str, Any]]:
    """Return prompts → variant → figures."""
    found: dict[str, dict[str, Any]] = {}
    with tqdm(total=len(sizes) * (len(OPTIONS) + 1), desc="variants") as bar, tempfile.TemporaryDirectory() as folder:
        for size in sizes:
            capture = shared.captured(host, Path(folder) / str(size), size)
            found[str(size)] = {}
            for name, dictionary in fitted(capture):
                found[str(size)][name] = measured(dictionary, host, config)
                bar.update()
    return found


def table(found: Mapping[str, Mapping[str, Any]]) -> str:
    """Return what is left undone of the rewrite's change, encoder by encoder, and located, as a Markdown table."""
    lines = [f"| variant | {' | '.join(f'{size} prompts' for size in found)} |", "|---" * (len(found) + 1) + "|"]
    for name in next(iter(found.values())):
        cells = []
        for rows in found.values():
            undone = ", ".join(f"{part['undone']:.3f}" for part in rows[name]["parts"].values())
            cells.append(f"{undone}; {rows[name]['located']['estimate']:.1%}")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Parse the command line, measure, write and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=512, help="swaps, half of them into unseen pairs")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("results") / "ablations.json")
    args = parser.parse_args()
    found = ablate(PortraitsText(), SIZES, TextConfig(prompts=args.count, seed=SEED))
    args.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(table(found))
    print(f"wrote {args.out}")


if __name__ == "__main__":
    main()
