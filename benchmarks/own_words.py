"""How well a small table of one's own is read among other things: ``python benchmarks/own_words.py``; writes
``benchmarks/results/own_words.json``.

Tables of three of Portraits' categories, 80 prompts each. Read are fresh prompts that hold other things without a word
of the table, and such that hold them in its words, made as capture makes them; with what is found and read wrongly at
cuts about the one that was chosen.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
import writing

from supsae.hosts.embedded import PortraitsText
from supsae.portraits import captions
from supsae.supsae_core.capture.captures import Encoded
from supsae.supsae_core.capture.plan import Entry
from supsae.supsae_core.dictionary.model import Dictionary
from supsae.supsae_core.table import prompts
from supsae.supsae_core.table.concepts import ConceptTable
from supsae.supsae_core.table.parsing import table_from_mapping
from supsae.training import calibration, capture, fit
from supsae.training.capture import CaptureConfig

TABLES = (("hair", "hat", "expression"), ("eyes", "eyewear", "clothing"), ("background", "haircut", "hair"))
CONFIG = CaptureConfig(prompts=80, calibration=64)
STEPS = (-0.4, -0.2, 0.0, 0.2, 0.4)
"""By which the chosen cut is moved."""
RATES = {"plain": 0.0, "sharing": 1.0}
"""Kind of prompts → share of their other things that is tried in the table's words."""


def drawn(host: PortraitsText, table: ConceptTable, kind: str, count: int) -> list[Encoded]:
    """Draw and encode prompts with other things behind most phrases."""
    rng, made = np.random.default_rng((5, len(kind))), list[prompts.Prompt]()
    wording = replace(captions.WORDING, shared=RATES[kind])
    while len(made) < count:
        one = prompts.draw_prompt(table, rng, wording=wording)
        made += [one] if one.mentions else []
    rows = zip(made, *host.encode([one.text for one in made]), strict=True)
    return [Encoded(Entry(one, "test", host.counts(one.words)), cond, pooled) for one, cond, pooled in rows]


def moved(dictionary: Dictionary, step: float) -> Dictionary:
    """Return a dictionary whose cuts of what is found in the end are moved."""
    parts = dict(dictionary.parts)
    for name, part in parts.items():  # of all encoders: any may be the one that decides
        cuts = part.cuts._replace(**{cut: getattr(part.cuts, cut) + step for cut in ("last", "named", "again")})
        parts[name] = replace(part, thresholds=torch.tensor(cuts))
    return replace(dictionary, parts=parts)


def rates(dictionary: Dictionary, rows: Sequence[Encoded]) -> dict[str, float]:
    """Return what is found and read wrongly."""
    return calibration.reading_rates(dictionary, [calibration.read(dictionary, row) for row in rows])


def main() -> None:
    parser = writing.parser(__file__, __doc__)
    parser.add_argument("--prompts", type=int, default=120, help="prompts to read of each kind")
    args = parser.parse_args()
    host, known, result = PortraitsText(), captions.table().to_json(), {}
    for names in TABLES:
        table = table_from_mapping({name: known[name] for name in names})
        with tempfile.TemporaryDirectory() as folder:
            plan = capture.plan_text(table, host, CONFIG, captions.WORDING)
            learnt = fit.fit_dictionary(capture.capture_text(host, folder, plan))
        curves = {}
        for kind in RATES:
            rows = drawn(host, table, kind, args.prompts)
            curves[kind] = {f"{step:+.1f}": rates(moved(learnt, step), rows) for step in STEPS}
        result[", ".join(names)] = curves
    writing.write({"prompts": args.prompts, "by table, kind of prompts and step": result}, args.out)


if __name__ == "__main__":
    main()
