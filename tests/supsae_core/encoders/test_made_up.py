"""Families, those that nobody knows among them, go all the way: capture → fit → save → load → read → edit.

Their encoders are written out here by hand. A row is the vector of its own token and, added to it, another one of every
word that it can attend to, so that all there is to learn is additive and an edit can be as good as its rewrite.
"""

import re
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch

from supsae.supsae_core.dictionary.file import load_dictionary, save_dictionary
from supsae.supsae_core.dictionary.model import POOLED
from supsae.supsae_core.editing.apply import apply, in_order
from supsae.supsae_core.editing.edits import Add, Remove, Swap
from supsae.supsae_core.encoders.base import Encoder, Family, Pooled
from supsae.supsae_core.encoders.chunked import Chunked
from supsae.supsae_core.encoders.families import FAMILIES as KNOWN
from supsae.supsae_core.encoders.padded import Padded
from supsae.supsae_core.encoders.templated import Templated
from supsae.supsae_core.reading.readout import read_conditioning
from supsae.supsae_core.table import prompts
from supsae.supsae_core.table.parsing import parse_table
from supsae.supsae_core.table.prompts import PLAIN
from supsae.supsae_core.words import counts_in_text
from supsae.training import capture, fit
from supsae.training.solvers.exact import ExactConfig

pytestmark = pytest.mark.slow

TABLE = parse_table("hair: [red hair, long blond hair]\nhat: [gold crown, top hat]\nmood: [smiling, sad face]")
CLIP, WIDE = (Encoder("l", "clip", Chunked(20), 0, 24), Encoder("g", "clip", Chunked(20), 24, 48)), 64
TWO = Templated(2, 3, 40, True)
DUET = (Encoder("small", "lm", TWO, 0, 24), Encoder("large", "lm", TWO, 24, WIDE))

BARE = replace(PLAIN, others=())
"""Chunks of 18 words have no room for more."""

FAMILIES = {
    # a causal language model in a template, without pads and without a pooled vector, as Z-Image and Qwen-Image
    "templated": Family("made-up", WIDE, (Encoder("lm", "lm", Templated(3, 5), 0, WIDE),), weighted=False),
    # the same padded at the right, pads hidden by a mask, as FLUX.2
    "masked": Family("made-up", WIDE, (Encoder("lm", "lm", Templated(2, 4, 40, True), 0, WIDE),), weighted=False),
    # two language models side by side in one template, masked pads, pooled vector of the second
    "duet": Family("made-up", WIDE, DUET, (Pooled(0, 16, "large"),), weighted=False),
    # a start token alone, nothing closes a text but its pads, which come in steps
    "steps": Family("made-up", WIDE, (Encoder("lm", "lm", Templated(1, 0, 30, step=30), 0, WIDE),), weighted=False),
    # start row, pads, and a pooled vector of an encoder that has no rows, as FLUX.1 with BERT in place of T5
    "start row": Family("made-up", WIDE, (Encoder("bert", "bert", Padded(40, start=1), 0, WIDE),), (Pooled(0, 16),)),
    # no pads at all, as Chroma
    "no pads": Family("made-up", WIDE, (Encoder("t5", "t5", Padded(), 0, WIDE),), weighted=False),
    # two chunked encoders alone, as SDXL, with the pooled vector of the second
    "chunks": Family("made-up", 48, CLIP, (Pooled(0, 16, "g"),)),
    # the wide rows first, the chunks behind them
    "behind": Family("made-up", WIDE, (Encoder("t5", "t5", Padded(40), 0, WIDE), *CLIP), (Pooled(0, 16, "l"),)),
}


def narrowed(family):
    """A family with its layouts and 64 columns in all."""

    def narrow(some):
        return tuple(
            replace(one, first=one.first * WIDE // family.width, last=one.last * WIDE // family.width) for one in some
        )

    return replace(family, name="made-up", width=WIDE, encoders=narrow(family.encoders), pooled=narrow(family.pooled))


def traits(family):
    """What tells one family's rows from another's, sizes aside."""
    kinds = [
        (type(one.layout), one.layout.role_names, one.layout.masked, one.layout.room is None, one.layout.lead > 0)
        for one in family.encoders
    ]
    return (*kinds, bool(family.pooled))


assert KNOWN, "the table of families is empty"
for name, family in KNOWN.items():  # the rest is as one of these, or as one that is known already
    if traits(family) not in map(traits, FAMILIES.values()):
        FAMILIES[name] = narrowed(family)


@cache
def vector(name, width):
    """A fixed random vector for a name."""
    seed = list(name.encode())
    return torch.from_numpy(np.random.default_rng(seed).normal(size=width)).float()


def rows_written(name, tokens, width, causal):
    """The rows of tokens (kind, text): words are heard, start, end, pad and template rows are not."""
    made, heard = [], torch.zeros(width)
    everything = sum((vector(f"{name} heard {text}", width) for kind, text in tokens if kind == "word"), heard)
    for kind, text in tokens:
        own = vector(f"{name} {kind} {text}", width)
        word = vector(f"{name} heard {text}", width) if kind == "word" else torch.zeros(width)
        made.append(own + 0.3 * (heard if causal else everything - word))
        heard = heard + word
    return torch.stack(made)


def written(encoder, words):
    """The rows of one encoder, its tokens laid out by hand."""
    layout, tokens = encoder.layout, [("word", word) for word in words]
    if isinstance(layout, Chunked):
        room, chunks = layout.size - 2, []
        for first in range(0, max(len(tokens), 1), room):
            some = tokens[first : first + room]
            chunk = [("start", ""), *some, ("end", ""), *[("pad", "")] * (room - len(some))]
            chunks.append(rows_written(encoder.name, chunk, encoder.width, True))
        return torch.cat(chunks)
    causal = isinstance(layout, Templated)
    first, last = (layout.before, layout.after) if causal else (layout.start, 1)
    laid = [*[("before", str(n)) for n in range(first)], *tokens, *[("after", str(n)) for n in range(last)]]
    laid += [("pad", "")] * (layout.length(len(words)) - len(laid))
    return rows_written(encoder.name, laid, encoder.width, causal)


def spelled(text):
    """Words and marks, a token each."""
    return re.findall(r"\w+|[^\w\s]", text)


class Host:
    """A text host of one's own, plugged in as it is: nothing of SupSAE knows its family."""

    def __init__(self, family):
        self.family = family

    def counts(self, words):
        found = counts_in_text(lambda text: len(spelled(text)), words)
        return {encoder.name: found for encoder in self.family.encoders}

    def encode(self, texts):
        conds, pooled = [], []
        for text in texts:
            words = spelled(text)
            segments = []
            for some in self.family.segments.values():
                side = torch.cat([written(encoder, words) for encoder in some], 1)
                segments.append(torch.nn.functional.pad(side, (0, self.family.width - side.shape[1])))
            conds.append(torch.cat(segments))
            heard = [vector(f"pooled {word}", self.family.pooled_width) for word in words]
            pooled.append(sum(heard, torch.zeros(self.family.pooled_width)))
        return conds, pooled


@pytest.fixture(scope="module", params=FAMILIES)
def learnt(request, tmp_path_factory):
    """Host and dictionary: captured, fitted, saved and loaded."""
    host, folder = Host(FAMILIES[request.param]), tmp_path_factory.mktemp("made-up")
    plan = capture.plan_text(TABLE, host, capture.CaptureConfig(64, 8, 0.7, rewrites=0, brief=0.0), BARE)
    quick = ExactConfig(common_ridges=(10.0,), shared_ridges=(3.0,), own_ridges=(30.0,))
    made = fit.fit_dictionary(capture.capture_text(host, folder / "capture", plan), config=quick)
    save_dictionary(made, folder / "d.safetensors")
    return host, load_dictionary(folder / "d.safetensors")


def fresh(count, seed=7):
    rng = np.random.default_rng(seed)
    return [prompts.draw_prompt(TABLE, rng, wording=BARE, mention=0.7) for _ in range(count)]


def twin(concept):
    """The other concept of its category: every category has two."""
    return concept ^ 1


def encoded(host, prompt):
    (cond,), (pooled,) = host.encode([prompt.text])
    return cond, pooled


def test_the_family_travels_in_the_file(learnt):
    host, dictionary = learnt
    assert dictionary.family == host.family
    assert (POOLED in dictionary.parts) == bool(host.family.pooled)


def test_what_a_prompt_says_is_read_from_its_rows(learnt):
    host, dictionary = learnt
    found = [read_conditioning(dictionary, encoded(host, one)[0]).concepts(dictionary) for one in fresh(16)]
    assert sum(said == one.support(TABLE) for said, one in zip(found, fresh(16), strict=True)) >= 14


def test_a_swap_is_like_its_rewrite(learnt):
    """Of the rewrite's change at most a third is left undone, where both have equally many rows that stand alike."""
    host, dictionary = learnt
    left = change = 0.0
    for prompt in fresh(16):
        for old in prompt.support(TABLE):
            rewrite = prompts.rewrite(TABLE, prompt, old, twin(old))
            if len(rewrite.words) == len(prompt.words):
                (cond, pooled), (wanted, vector) = encoded(host, prompt), encoded(host, rewrite)
                made = apply(dictionary, cond, pooled, [Swap(str(TABLE.concepts[twin(old)]))])
                left += float((made.cond - wanted).square().sum() + (made.pooled - vector).square().sum())
                change += float((cond - wanted).square().sum() + (pooled - vector).square().sum())
    assert 0 < left < change / 3


def asked(prompt, kind):
    """An edit of that kind that the prompt has something for, and the concepts that it must say then; or None."""
    support, names = {*prompt.support(TABLE)}, list(map(str, TABLE.concepts))
    free = [one for one in range(len(TABLE)) if not support & {one, twin(one)}]
    for concept in free[:1] if kind is Add else prompt.support(TABLE)[:1]:
        if kind is Swap:
            return Swap(names[twin(concept)]), support - {concept} | {twin(concept)}
        return kind(names[concept]), support ^ {concept}
    return None


@pytest.mark.parametrize("kind", [Swap, Add, Remove])
def test_an_edited_conditioning_says_what_was_asked(learnt, kind):
    host, dictionary = learnt
    right = []
    for prompt, (edit, wanted) in [(one, asked(one, kind)) for one in fresh(16, seed=11) if asked(one, kind)]:
        try:
            edited = apply(dictionary, *encoded(host, prompt), [edit])
        except ValueError:  # what is to go was not read
            right.append(False)
            continue
        rows = in_order(dictionary, edited)
        right.append({*read_conditioning(dictionary, rows).concepts(dictionary)} == wanted)
    assert len(right) >= 8 and sum(right) >= 0.8 * len(right), right


def test_rows_are_inserted_where_there_are_no_pads_or_words_stand_in_order(learnt):
    host, dictionary = learnt
    prompt = next(one for one in fresh(40) if one.support(TABLE)[:1] == (0,))  # says red hair first
    cond, pooled = encoded(host, prompt)
    made = apply(dictionary, cond, pooled, [Swap("hair: long blond hair")])
    encoder = host.family.encoders[-1]
    new = [row for row, old in enumerate(made.before) if old < 0]
    layout = encoder.layout
    assert len(new) == int(layout.in_order or not layout.has_pads)
    assert len(made.cond) - len(cond) == int(not layout.has_pads)  # else the last pad goes for it
    if new:  # right behind "red hair", words and all other rows where they were
        assert new == [made.reading.layouts[encoder.name].spans[0].rows[-1] + 1]


def test_another_length_or_encoder_is_refused(learnt):
    host, dictionary = learnt
    cond, _ = encoded(host, fresh(1)[0])
    if any(encoder.layout.constant for encoder in host.family.encoders):
        with pytest.raises(ValueError, match="not of the text encoder"):
            read_conditioning(dictionary, torch.where(cond != 0, cond + 3, cond))
    if host.family.encoders[0].layout.wrong_length(len(cond) + 2, 3):
        with pytest.raises(ValueError, match="are not (one chunk|chunks|at least|exactly)|padded to"):
            read_conditioning(dictionary, torch.cat([cond[:1], cond, cond[-1:]]))


A, B = Encoder("a", "a", Padded(), 0, 8), Encoder("b", "b", Padded(), 0, 8)
IMPOSSIBLE = {
    "none": ({"encoders": ()}, "needs encoders"),
    "twice": ({"encoders": (CLIP[0], CLIP[0])}, "of different names"),
    "too wide": ({"encoders": (replace(A, last=65),)}, "do not lie in the 64 columns"),
    "unlike": ({"encoders": (CLIP[0], replace(CLIP[1], layout=Chunked(8)))}, "must have the same layout"),
    "equal width": ({"encoders": (A, B)}, "nothing tells apart"),
    "no such encoder": ({"pooled": (Pooled(0, 8, "x"),)}, "needs an encoder of that name"),
}


@pytest.mark.parametrize(("change", "message"), IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_a_family_that_cannot_be_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        Family(**{"name": "made-up", "width": WIDE, "encoders": CLIP, **change})
