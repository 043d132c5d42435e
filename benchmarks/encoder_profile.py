"""What the embedded text encoders are like beside a pre-trained one: ``python benchmarks/encoder_profile.py``; writes
``benchmarks/results/encoder_profile.json``.

No figure of an edit is among them: the embedded encoders were made, and this was measured, before any was looked at.
"""

import tempfile
from typing import Any

import writing

from supsae.evaluation.cases import World
from supsae.evaluation.text import photographs
from supsae.evaluation.text.profile import profile
from supsae.hosts.diffusers.encoder import minilm
from supsae.hosts.embedded import PortraitsText
from supsae.portraits import captions
from supsae.supsae_core.host import TextHost
from supsae.supsae_core.table.concepts import ConceptTable
from supsae.supsae_core.table.prompts import Wording
from supsae.training import capture, fit
from supsae.training.capture import CaptureConfig

SEED = 0


def judged(host: TextHost, table: ConceptTable, wording: Wording, prompts: int, swaps: int) -> dict[str, Any]:
    config = CaptureConfig(prompts=prompts, calibration=64, rewrites=0)
    with tempfile.TemporaryDirectory() as folder:
        made = capture.capture_text(host, folder, capture.plan_text(table, host, config, wording))
        dictionary = fit.fit_dictionary(made)
    world = World(table, wording=wording, longest=captions.LONGEST)
    return profile(host, world, dictionary, swaps, SEED)


def main() -> None:
    parser = writing.parser(__file__, __doc__)
    parser.add_argument("--prompts", type=int, default=1500, help="that the levels are fitted on")
    parser.add_argument("--swaps", type=int, default=256, help="to see where they change an encoding")
    args = parser.parse_args()
    found = {
        "prompts": args.prompts,
        "swaps": args.swaps,
        "Portraits": judged(PortraitsText(), captions.table(), captions.PLAIN, args.prompts, args.swaps),
        "all-MiniLM-L6-v2": judged(minilm(), photographs.table(), photographs.WORDING, args.prompts, args.swaps),
    }
    writing.write(found, args.out)


if __name__ == "__main__":
    main()
