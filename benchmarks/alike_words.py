"""How well tables of few concepts alike are read: ``python benchmarks/alike_words.py``; writes
``benchmarks/results/alike_words.json``.

Tables as someone types them, of words that stand in no other benchmark, learnt from few prompts; read are fresh prompts
among other things. Each is read as calibration chose, and with other words never and always explained as such.
"""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import writing

from supsae.hosts.choose import OWN
from supsae.hosts.embedded import PortraitsText
from supsae.supsae_core.capture.captures import Capture
from supsae.supsae_core.dictionary.model import Dictionary
from supsae.supsae_core.host import TextHost
from supsae.supsae_core.reading.readout import read_conditioning
from supsae.supsae_core.table.parsing import table_from_mapping
from supsae.supsae_core.table.prompts import draw_prompt
from supsae.training import thresholds
from supsae.training.capture import CaptureConfig, capture_text, plan_text
from supsae.training.fit import fit_dictionary

TABLES: dict[str, dict[str, dict[str, list[str]]]] = {
    "coats": {
        "mood": {"sad": ["sad"], "happy": ["happy", "cheerful"]},
        "coat": {"blue": ["blue coat"], "green": ["green coat"], "fur": ["long fur coat"]},
    },
    "cups": {
        "cup": {"tin": ["a tin cup"], "glass": ["a glass cup"], "clay": ["a clay cup"]},
        "spoon": {"wooden": ["wooden spoon"], "silver": ["silver spoon"]},
    },
    "hours": {"hour": {"dawn": ["at dawn"], "dusk": ["at dusk"], "midnight": ["at midnight"]}},
    "roofs": {
        "roof": {"slate": ["slate roof"], "thatched": ["thatched roof"], "none": ["no roof"]},
        "door": {"open": ["open door"], "shut": ["shut door"]},
    },
    "materials": {"material": {name: [name] for name in ("bronze", "marble", "jade", "amber")}},
}
PROMPTS, READ, MENTION = (60, 300), 100, 0.6
LIMITS = {"never": (1e9, 0.0), "always": (-1.0, 1e9)}
"""Way to read → ``thresholds.OFTEN`` and ``CLEAR``."""


def counted(dictionary: Dictionary, host: TextHost) -> dict[str, float]:
    """Return of fresh prompts how many are read right, and what of their concepts is missed or read where it is not."""
    rng, found = np.random.default_rng(2024), {"right": 0, "said": 0, "missed": 0, "false": 0}
    for _ in range(READ):
        prompt = draw_prompt(dictionary.table, rng, mention=MENTION)
        (cond,), _ = host.encode([prompt.text])
        said, seen = (
            set(prompt.support(dictionary.table)),
            set(read_conditioning(dictionary, cond).concepts(dictionary)),
        )
        found["right"] += said == seen
        found["said"] += len(said)
        found["missed"] += len(said - seen)
        found["false"] += len(seen - said)
    return {**found, "prompts": READ}


def judged(capture: Capture, host: TextHost) -> dict[str, Any]:
    """Fit, and read as calibration chose, without the choice, and with it whatever calibration says."""
    made, rows = fit_dictionary(capture), list(capture.read("calibration"))
    found: dict[str, Any] = {name: part.cuts.other >= 0 for name, part in made.parts.items() if name != "pooled"}
    found = {"taken": found, "as chosen": counted(made, host)}
    often, clear = thresholds.OFTEN, thresholds.CLEAR
    for name, limits in LIMITS.items():
        thresholds.OFTEN, thresholds.CLEAR = limits
        found[name] = counted(thresholds.with_cuts(made, rows), host)
    thresholds.OFTEN, thresholds.CLEAR = often, clear
    return found


def main() -> None:
    """Parse the command line, measure, write and print."""
    parser = writing.parser(__file__, __doc__)
    parser.add_argument("--hosts", nargs="+", default=["portraits", "minilm"], help="text encoders")
    parser.add_argument("--tables", nargs="+", default=list(TABLES), choices=TABLES, help="some of the tables")
    args = parser.parse_args()
    found: dict[str, Any] = {}
    for name in args.hosts:
        host = PortraitsText() if name == "portraits" else OWN[name](None)
        for of in args.tables:
            for count in PROMPTS:
                plan = plan_text(table_from_mapping(TABLES[of]), host, CaptureConfig(prompts=count, mention=MENTION))
                with tempfile.TemporaryDirectory() as folder:
                    found[f"{name}, {of}, {count}"] = judged(capture_text(host, Path(folder, "capture"), plan), host)
                print(f"{name}, {of}, {count}", found[f"{name}, {of}, {count}"], flush=True)
    writing.write(found, args.out)


if __name__ == "__main__":
    main()
