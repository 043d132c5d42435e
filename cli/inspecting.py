"""What a capture holds and what a prompt's conditioning says, in lines."""

from collections import Counter
from collections.abc import Sequence

import torch

from ..hosts.embedded import PortraitsText
from ..portraits.text import Tokenizer, load_encoders
from ..supsae_core.capture.activations import load_activations
from ..supsae_core.capture.captures import Capture
from ..supsae_core.capture.plan import SETS, ActivationPlan
from ..supsae_core.dictionary.model import Dictionary
from ..supsae_core.host import check_host
from ..supsae_core.reading import prompt_report, readout
from ..supsae_core.table.concepts import spaced


def describe_capture(found: Capture) -> str:
    """Return what a capture holds, in lines."""
    plan, missing = found.plan, len(found.missing())
    counts = Counter(entry.set for entry in plan.entries)
    sets = ", ".join(f"{counts[name]} {name}" for name in SETS)
    state = "finished" if not missing else f"{missing} of {found.shards} parts missing: run 'supsae capture' again"
    sizes = ", ".join(f"{name} ({len(members)})" for name, members in plan.table.categories.items())
    held_out = (
        f"{len(plan.held_out)} pairs of concepts never written together" if plan.held_out else "no pairs held out"
    )
    examples = [f"  {entry.prompt.text}" for entry in plan.entries[:3]]
    recorded = [] if missing or not isinstance(plan, ActivationPlan) else [_describe_activations(found)]
    return "\n".join(
        [
            f"Capture {found.folder}, {found.size() / 1e6:.1f} MB: {state}",
            f"prompts: {sets}; seed {plan.seed}; {held_out}",
            f"format {plan.family.name!r}; {len(plan.table)} concepts: {sizes}",
            *recorded,
            "the first prompts:",
            *examples,
        ]
    )


def _describe_activations(found: Capture) -> str:
    recorded = load_activations(found)
    how, missing = recorded.plan.sampling, len(recorded.missing)
    state = "finished" if not missing else f"{missing} of {len(found.plan.entries)} pictures missing: capture again"
    places = ", ".join(map(str, how.sites))
    return f"activations at {places}, {how.steps} steps, cfg {how.cfg:g}, {how.width} × {how.height}: {state}"


def read_prompt(learnt: Dictionary, text: str) -> str:
    """Return what a dictionary reads in the conditioning of a prompt, in lines, beside the words that stand there."""
    encoders = load_encoders()
    host = PortraitsText(encoders)
    check_host(learnt, host)
    text = spaced(text)
    (cond,), _ = host.encode([text])
    with torch.inference_mode():
        reading = readout.read_conditioning(learnt, cond)
        left = prompt_report.left(prompt_report.report_prompt(learnt, cond, reading))
    if not reading.found:
        return "The conditioning says none of the dictionary's concepts."
    lines = [("concept", "words in the prompt", "score", "rows")]
    lead = reading.encoders(learnt.family)[-1]
    first = reading.rows.of(lead).start + lead.layout.lead
    for found in reading.found:
        rows = f"{found.rows[0]}-{found.rows[-1]}"
        words = _words(encoders.tokenizer, text, [row - first for row in found.rows])
        concept = learnt.table.concepts[learnt.table.phrases[found.phrase].concept]
        lines.append((str(concept), words, f"{found.score:.2f}", rows))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    told = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]
    return "\n".join([*told, *left])


def _words(tokenizer: Tokenizer, text: str, tokens: Sequence[int]) -> str:
    """Return the whitespace words that tokens of a prompt belong to."""
    words = text.split()
    owner = [index for index, word in enumerate(words) for _ in tokenizer.ids(word)]
    own = [owner[token] for token in tokens if 0 <= token < len(owner)]
    return " ".join(words[index] for index in dict.fromkeys(own))
