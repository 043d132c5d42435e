"""Two poles as a slider at once, over the number of pairs that are encoded for it: ``python
benchmarks/quick_concept.py``; writes ``benchmarks/results/quick_concept.json`` (some minutes of one core).

Poles are said in prompts about many other things, which no one learnt from. Everyone learns from the same pairs of
prompts, and is held against the rewrite; a dictionary of all poles together, learnt from many prompts, stands beside.
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import writing

from supsae.evaluation.baselines import beside_prompt, chosen_tokens, control_vector
from supsae.evaluation.cases import make_case
from supsae.evaluation.intervals import error_interval
from supsae.evaluation.report.files import compact
from supsae.evaluation.text import photographs, rivals
from supsae.evaluation.text.asked import Asked, mentions_of
from supsae.evaluation.text.cases import has_room
from supsae.evaluation.text.rivals import Rival
from supsae.evaluation.text.rows import Measured, Truth, measured, truths
from supsae.hosts.diffusers.encoder import minilm
from supsae.supsae_core.capture.captures import Capture
from supsae.supsae_core.host import TextHost
from supsae.supsae_core.reading.readout import read_conditioning
from supsae.supsae_core.table import prompts
from supsae.supsae_core.table.concepts import ConceptTable
from supsae.supsae_core.table.parsing import table_from_mapping
from supsae.supsae_core.table.prompts import Mention, Prompt
from supsae.training.capture import CaptureConfig, capture_text, plan_text
from supsae.training.fit import fit_dictionary
from supsae.training.quick import plan_quick, quick_table, with_others

SEED, CALIBRATION, LEARNT, ALONE = 4711, 64, "one dictionary of all poles", "without other things"
POLES = (
    ("a young woman", "an old woman"), ("a happy child", "a sad child"), ("a red dress", "a blue dress"),
    ("a small dog", "a huge dog"), ("a calm sea", "a rough sea"), ("short hair", "long hair"),
    ("an old house", "a modern house"), ("a smiling face", "a crying face"),
)  # fmt: skip
BESIDE = {"control vector": control_vector.fit}
TOLD = {"poles beside the prompt": beside_prompt.fit, "chosen tokens": chosen_tokens.fit}
"""Others who learn from the same pairs; the latter are shown the prompt."""


def cases_of(host: TextHost, table: ConceptTable, poles: Sequence[str], count: int) -> list[Asked]:
    """Draw prompts about photographs in which a phrase is the low pole, and ask for the high one.

    Args:
        table: has the poles without their articles; both stay behind the low pole's article.
    """
    world, rng, found = photographs.table(), np.random.default_rng((SEED, *map(len, poles))), list[Asked]()
    low, high = (quick_table(*poles).phrases[at].text for at in (0, 1))
    article = poles[0].removesuffix(low).split()
    at = {phrase.text: number for number, phrase in enumerate(table.phrases)}
    while len(found) < count:
        drawn = prompts.draw_prompt(world, rng, wording=photographs.WORDING, mention=0.5)
        if drawn.mentions:
            place = drawn.mentions[int(rng.integers(len(drawn.mentions)))]
            last = drawn.words[place.stop - 1]
            own = [*article, *low.split()]
            own[-1] += last[len(last.rstrip(",.")) :]
            start = place.start + len(article)
            words = (*drawn.words[: place.start], *own, *drawn.words[place.stop :])
            said = Prompt(words, (Mention(at[low], start, start + len(low.split())),))
            change = [(table.phrases[at[one]].concept) for one in (low, high)]
            case = make_case(table, said, [(change[0], change[1])], 0)
            found += [Asked("swap", case, mentions_of(table, case))] if has_room(host, case) else []
    return found


def everyone(capture: Capture, host: TextHost) -> tuple[dict[str, Rival], Any]:
    """Fit SupSAE, the trivial edits and three others to a capture; return the dictionary too."""
    dictionary = fit_dictionary(capture)
    made = rivals.of_dictionary(dictionary, capture)
    for name, fit in BESIDE.items():
        made[name] = rivals.by_baseline(fit(capture, host))
    for name, fit in TOLD.items():
        made[name] = rivals.by_told(fit(capture, host), name in rivals.IN_PLACE)
    return made, dictionary


def measure(
    host: TextHost, poles: Sequence[tuple[str, str]], pairs: Sequence[int], count: int, alone: bool = False
) -> dict[str, Any]:
    """Return, per number of pairs, what everyone leaves undone of the same rewrites; ``alone``: with poles only."""
    found: dict[str, dict[str, list[Measured]]] = {str(number): {} for number in pairs}
    read: dict[str, list[bool]] = {str(number): [] for number in pairs}
    encodings = dict[str, int]()
    for both in poles:
        table = quick_table(*both) if alone else with_others(quick_table(*both))
        some = list(truths(host, table, cases_of(host, table, both, count)))
        for number in map(str, pairs):
            plan = replace(plan_quick(table, host, int(number)), whole=True)
            encodings[number] = len(plan.entries)
            with tempfile.TemporaryDirectory() as folder:
                methods, dictionary = everyone(capture_text(host, Path(folder), plan), host)
                judge(found[number], methods, some)
            readings = [read_conditioning(dictionary, one.before.cond) for one in some]
            poles_read = [[one for one in reading.concepts(dictionary) if one < 2] for reading in readings]
            read[number] += [one == [0] for one in poles_read]
    made = {
        number: {"encodings": encodings[number], "read": sum(read[number]), **told(found[number])} for number in found
    }
    return {"poles": len(poles), "cases": len(poles) * count, "pairs": made}


def judge(found: dict[str, list[Measured]], methods: Mapping[str, Rival], some: Sequence[Truth]) -> None:
    """Let everyone edit the same cases."""
    for name, rival in methods.items():
        found.setdefault(name, []).extend(measured(one, rival) for one in some)


def told(found: Mapping[str, Sequence[Measured]]) -> dict[str, Any]:
    """Return method → the error with its interval."""
    made = {}
    for name, some in found.items():
        off, whole = ([sum(getattr(one, part).values(), 0.0) for one in some] for part in ("off", "whole"))
        made[name] = error_interval(off, whole).json()
    return {"methods": made}


def together(host: TextHost, poles: Sequence[tuple[str, str]], prompts_to_fit: int, count: int) -> dict[str, Any]:
    """Return the same of one dictionary that learnt all poles from many prompts."""
    tables = [quick_table(*both).to_json() for both in poles]
    table = table_from_mapping({name: some for one in tables for name, some in one.items()})
    config = CaptureConfig(prompts=prompts_to_fit, calibration=CALIBRATION, mention=0.6, seed=SEED)
    found = dict[str, list[Measured]]()
    with tempfile.TemporaryDirectory() as folder:
        capture = capture_text(host, Path(folder), plan_text(table, host, config))
        methods = rivals.of_dictionary(fit_dictionary(capture), capture)
        for both in poles:
            judge(found, methods, list(truths(host, table, cases_of(host, table, both, count))))
    return {"encodings": prompts_to_fit + 2 * CALIBRATION, **told(found)}


def main() -> None:
    parser = writing.parser(__file__, __doc__)
    parser.add_argument("--pairs", type=int, nargs="+", default=[8, 16, 32, 64], help="to learn from")
    parser.add_argument("--cases", type=int, default=6, help="prompts a pair of poles")
    parser.add_argument("--prompts", type=int, default=300, help="that the one dictionary of all poles learns from")
    args = parser.parse_args()
    host = minilm()
    made = measure(host, POLES, args.pairs, args.cases)
    made[ALONE] = measure(host, POLES, [32], args.cases, alone=True)["pairs"]
    made[LEARNT] = together(host, POLES, args.prompts, args.cases)
    args.out.write_text(compact(made) + "\n", encoding="utf-8")
    print(args.out.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
