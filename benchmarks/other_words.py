"""How well concepts are read in prompts full of words that no concept has: ``python benchmarks/other_words.py``; writes
``benchmarks/results/other_words.json``.

A dictionary of three of Portraits' categories reads prompts that speak of all eight. It learns from prompts without a
word about the other five, with all of their phrases, and with every other one of them, so that the rest are new to it.
"""

import tempfile
from dataclasses import replace

import numpy as np
import writing

from supsae.hosts.embedded import PortraitsText
from supsae.portraits import captions
from supsae.supsae_core.dictionary.model import Dictionary
from supsae.supsae_core.reading import readout
from supsae.supsae_core.table import foreign, prompts
from supsae.supsae_core.table.concepts import ConceptTable
from supsae.supsae_core.table.parsing import table_from_mapping
from supsae.supsae_core.table.prompts import Wording
from supsae.training import capture, fit
from supsae.training.capture import CaptureConfig

CATEGORIES = ("hair", "hat", "expression")
CONFIG = CaptureConfig(prompts=300, calibration=64)


def learnt(host: PortraitsText, table: ConceptTable, wording: Wording) -> Dictionary:
    with tempfile.TemporaryDirectory() as folder:
        return fit.fit_dictionary(capture.capture_text(host, folder, capture.plan_text(table, host, CONFIG, wording)))


def read(host: PortraitsText, dictionary: Dictionary, count: int) -> dict[str, int]:
    """Count the concepts of the dictionary that prompts say: read, missed, and read where they are not said."""
    world, rng = captions.table(), np.random.default_rng(5)
    found = {"read": 0, "missed": 0, "read wrongly": 0}
    for _ in range(count):
        prompt = prompts.draw_prompt(world, rng, wording=captions.WORDING, mention=0.8)
        said = {str(world.concepts[one]) for one in prompt.support(world)}
        said &= {str(concept) for concept in dictionary.table.concepts}
        reading = readout.read_conditioning(dictionary, host.encode([prompt.text])[0][0])
        seen = {str(dictionary.table.concepts[one]) for one in reading.concepts(dictionary)}
        found["read"] += len(said & seen)
        found["missed"] += len(said - seen)
        found["read wrongly"] += len(seen - said)
    return found


def main() -> None:
    parser = writing.parser(__file__, __doc__)
    parser.add_argument("--prompts", type=int, default=300, help="prompts to read")
    args = parser.parse_args()
    count = args.prompts
    host, known = PortraitsText(), captions.table().to_json()
    table = table_from_mapping({name: known[name] for name in CATEGORIES})
    others = foreign.apart(table, captions.WORDING.others)
    wordings = {"none": (), "half": others[::2], "all": others}
    result = {
        "prompts": count,
        "phrases about other things": len(others),
        "learnt with": {
            name: read(host, learnt(host, table, replace(captions.WORDING, others=some)), count)
            for name, some in wordings.items()
        },
    }
    writing.write(result, args.out)


if __name__ == "__main__":
    main()
