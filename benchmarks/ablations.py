"""What each level of the solver is worth: ``python benchmarks/ablations.py`` (some minutes on one core).

Portraits' text encoders alone, no picture drawn: the package's own fit with one option changed, judged by the package's
own text metrics on the same swaps, half of them into pairs of concepts that no fit saw together.
"""

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import shared
import torch
import writing
from tqdm import tqdm

from supsae.evaluation.report.files import compact
from supsae.evaluation.text.cases import TextConfig
from supsae.evaluation.text.metrics import SplitScore, plain, text_metrics
from supsae.hosts.embedded import PortraitsText
from supsae.supsae_core.capture.captures import Capture
from supsae.supsae_core.dictionary.model import Dictionary
from supsae.supsae_core.host import TextHost
from supsae.training import fit
from supsae.training.solvers.effects import NEVER
from supsae.training.solvers.exact import ExactConfig

SEED = 90210
SIZES, CALIBRATION = (300, 50), 64
"""Prompts to fit on, and to calibrate on."""
NONE = (NEVER,)
"""Candidates of a level that is to do nothing."""
OPTIONS: dict[str, ExactConfig] = {
    "as it is": ExactConfig(),
    "no effect of context": ExactConfig(common_ridges=NONE, shared_ridges=NONE, own_ridges=NONE),
    "no effect that all slots share": ExactConfig(common_ridges=NONE),
    "no effect that all or a category share": ExactConfig(common_ridges=NONE, shared_ridges=NONE),
    "no deviation of a phrase": ExactConfig(own_ridges=NONE),
    "code width 16": ExactConfig(rank=16),
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


def errors(found: SplitScore) -> dict[str, float]:
    """Return what the swaps of one split came to."""
    made = {"located": found.located.estimate}
    for name, part in found.parts.items():
        made |= {f"{name} fvu_slot": part.fvu_slot, f"{name} undone": part.undone}
    return plain(made)


def ablate(host: TextHost, sizes: tuple[int, ...], config: TextConfig) -> dict[str, dict[str, Any]]:
    """Return prompts → variant → split → errors."""
    found: dict[str, dict[str, Any]] = {}
    with tqdm(total=len(sizes) * (len(OPTIONS) + 1), desc="variants") as bar, tempfile.TemporaryDirectory() as folder:
        for size in sizes:
            own = found[str(size)] = {}
            capture = shared.captured(host, Path(folder) / str(size), size, CALIBRATION)
            for name, dictionary in fitted(capture):
                splits = text_metrics(dictionary, host, config).splits
                own[name] = {split: errors(score) for split, score in splits.items()}
                bar.update()
    return found


def table(found: Mapping[str, Mapping[str, Any]]) -> str:
    """Return, as a Markdown table, what is left undone of the rewrite's change part by part, seen / unseen."""
    lines = [f"| variant | {' | '.join(f'{size} prompts' for size in found)} |", "|---" * (len(found) + 1) + "|"]
    for name in next(iter(found.values())):
        cells = []
        for rows in found.values():
            seen, unseen = rows[name]["seen"], rows[name]["unseen"]
            parts = [key for key in seen if key.endswith("undone")]
            cells.append(", ".join(f"{seen[key]:.3f} / {unseen[key]:.3f}" for key in parts))
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Parse the command line, measure, write and print."""
    parser = writing.parser(__file__, __doc__)
    parser.add_argument("--count", type=int, default=96, help="swaps, half of them into unseen pairs")
    args = parser.parse_args()
    found = ablate(PortraitsText(), SIZES, TextConfig(prompts=args.count, seed=SEED))
    args.out.write_text(compact({"swaps": args.count, "prompts": found}) + "\n", encoding="utf-8")
    print(f"{table(found)}\nwrote {args.out}")


if __name__ == "__main__":
    main()
