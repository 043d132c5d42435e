"""Sums gathered from real prompts: those of the rows, each slot with the context that it hears."""

from dataclasses import replace

import pytest
import torch

from supsae.supsae_core.capture.captures import Encoded
from supsae.supsae_core.capture.plan import Entry
from supsae.supsae_core.capture.statistics import FOLDS, fold_of
from supsae.supsae_core.dictionary.model import POOLED
from supsae.supsae_core.encoders.placing import layout_of, rows_of
from supsae.supsae_core.table.prompts import Mention, Prompt
from supsae.training import gather

RED, CROWN = 10, 32
"""Phrases: red hair, golden crown."""


def gathered(learnt, words, *mentions):
    """Gather one prompt."""
    row = learnt.encoded(Prompt(tuple(words.split()), mentions))
    return gather.gather(learnt.capture, [row._replace(entry=replace(row.entry, set="fit"))], "fit")


def test_sums_are_those_of_the_captured_rows(learnt):
    """One phrase, one role and the pooled vector, summed over the prompts by hand."""
    plan, phrase = learnt.capture.plan, learnt.table.first_phrase[learnt.table.index("hair: red")]
    found = gather.gather(learnt.capture, learnt.capture.read(), "fit")
    rows, pads, pooled, counts = 0, 0, 0, torch.zeros(FOLDS)
    for one in (one for one in learnt.capture.read() if one.entry.set == "fit"):
        own = rows_of(one.cond, plan.family)
        layout = layout_of(plan.family, plan.table, one.entry.prompt, one.entry.counts, own)["t5"]
        pooled, pads = pooled + one.pooled.double(), pads + one.cond[list(layout.roles.pad)].double().sum(0)
        for span in layout.spans:
            if span.phrase == phrase:
                rows = rows + one.cond[list(span.rows)].double()
                counts[fold_of(one.entry.prompt.text)] += 1
    t5 = found["t5"]
    assert torch.equal(t5.sums.count[:, phrase], counts.double()) and int(t5.lengths[phrase]) == 2
    pad = len(learnt.table.phrases) + learnt.dictionary.family.roles.index("pad")
    torch.testing.assert_close(t5.total().token[phrase, :2], rows, rtol=1e-10, atol=1e-10)
    # a prompt's pads are added up in single precision before they join the sums
    torch.testing.assert_close(t5.total().token[pad, 0], pads, rtol=1e-6, atol=1e-6 * float(pads.abs().max()))
    torch.testing.assert_close(found[POOLED].total().token[0, 0], pooled, rtol=1e-10, atol=1e-10)
    assert int(found[POOLED].count.sum()) == 200


def test_the_context_of_a_causal_slot_is_what_stands_before_it(learnt):
    # sums of labels hold only concepts written before; the first concept of every prompt therefore adds nothing
    red, crown = (learnt.table.phrases[i].concept for i in (RED, CROWN))
    assert [str(learnt.table.concepts[i]) for i in (red, crown)] == ["hair: red", "hat: crown"]
    found = gathered(learnt, "red hair and golden crown", Mention(RED, 0, 2), Mention(CROWN, 3, 5))
    heard = {name: some.total().label for name, some in found.items()}
    said = {("clip", RED): [], ("clip", CROWN): [red], ("t5", RED): [crown], ("t5", CROWN): [red]}
    for (name, slot), wanted in said.items():
        assert heard[name][slot].nonzero().flatten().tolist() == wanted
    assert set(heard[POOLED][0].nonzero().flatten().tolist()) == {red, crown}


def test_a_phrase_behind_the_first_chunk_is_nothing_to_pooled(learnt):
    found = gathered(learnt, "with " * 50 + "red hair", Mention(RED, 50, 52))
    assert not found[POOLED].label.any() and found["clip"].sums.count[:, RED].sum() == 1


def test_a_phrase_that_is_spelled_unevenly_is_refused(learnt):
    # as if the encoder had spelled "hair" with two tokens in the second prompt
    prompt, rows = Prompt(("red", "hair"), (Mention(RED, 0, 2),)), []
    row = learnt.encoded(prompt)
    for tokens in (1, 2):
        rows.append(Encoded(Entry(prompt, "fit", {"clip": (1, tokens), "t5": (1, 1)}), row.cond, row.pooled))
    said = "'clip' spells the phrase 'red hair' with 2 tokens in one prompt and 3 in another"
    with pytest.raises(ValueError, match=said):
        gather.gather(learnt.capture, rows, "fit")


def test_groups_are_categories_and_one_per_role(learnt):
    groups, phrases = gather.groups(learnt.capture), learnt.table.phrases
    wanted = [learnt.table.category_of[phrase.concept] for phrase in phrases]
    assert groups.phrases == len(phrases) and groups.of.tolist() == [*wanted, 8, 9, 10, 11]
