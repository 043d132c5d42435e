"""Cases are what they claim to be."""

import re

import numpy as np
import pytest

from supsae.evaluation import cases
from supsae.evaluation.cases import CANDIDATES, World, draw_cases, is_untouched
from supsae.portraits import captions
from supsae.supsae_core.editing.edits import Add, Remove, Scale, Swap
from supsae.supsae_core.table import prompts
from supsae.supsae_core.table.parsing import parse_table

TABLE = captions.table()
HELD_OUT = prompts.hold_out_pairs(TABLE, 0.1, seed=0)
COUNT = 12


def draw(edit, seed=1, table=TABLE, count=COUNT, pairs="any", **options):
    world = World(table, wording=captions.WORDING, **options)
    return draw_cases(edit, world, count, np.random.default_rng(seed), pairs=pairs)


def support(prompt):
    return set(prompt.support(TABLE))


def changed(case):
    """Return what goes and what comes."""
    return set(case.before) - set(case.after), set(case.after) - set(case.before)


@pytest.mark.parametrize("edit", CANDIDATES, ids=lambda edit: edit.__name__)
def test_rewrite_says_what_the_edit_asks_for(edit):
    for case in draw(edit):
        (asked,), (old, new) = case.edits, changed(case)
        assert type(asked) is edit and (len(old), len(new)) == (edit is not Add, edit is not Remove)
        assert (support(case.prompt), support(case.rewrite)) == (set(case.before), set(case.after))
        concept = TABLE.concepts[min(new or old)]
        assert asked.concept == str(concept)
        assert case.wanted == {concept.category: None if edit is Remove else concept.name}
        assert case.title == f"{edit.__name__.lower()} {concept}"


def test_only_the_phrase_is_rewritten():
    for case in draw(Swap):
        gone, _ = changed(case)
        old = next(m for m in case.prompt.mentions if {TABLE.phrases[m.phrase].concept} == gone)
        behind = len(case.prompt.words) - old.stop
        assert case.rewrite.words[: old.start] == case.prompt.words[: old.start]
        assert case.rewrite.words[len(case.rewrite.words) - behind :] == case.prompt.words[old.stop :]


def test_unseen_swaps_make_a_held_out_pair_with_the_new_value():
    assert HELD_OUT
    for case in draw(Swap, held_out=HELD_OUT, pairs="unseen"):
        _, (new,) = changed(case)
        assert not prompts.has_pair(support(case.prompt), HELD_OUT)
        assert any(frozenset((new, other)) in HELD_OUT for other in support(case.rewrite) - {new})


@pytest.mark.parametrize("edit", [Swap, Add], ids=lambda edit: edit.__name__)
def test_seen_cases_make_no_held_out_pair(edit):
    for case in draw(edit, held_out=HELD_OUT, pairs="seen"):
        assert not prompts.has_pair(support(case.prompt), HELD_OUT)
        assert not prompts.has_pair(support(case.rewrite), HELD_OUT)


def test_cases_fit_one_chunk():
    def longest(drawn):
        texts = [one.text for case in drawn for one in (case.prompt, case.rewrite)]
        return max(len(re.findall(r"\w+|[^\w\s]", text)) for text in texts)

    assert longest(draw(Swap, mention=1.0, longest=30)) <= 30
    assert longest(draw(Swap, mention=1.0)) > 30  # the limit is what did it


def test_cases_stay_apart_from_what_was_fitted_on():
    table = parse_table("a: [x, y]\nb: [u, v]")
    plain = {"table": table, "count": 5, "mention": 1.0}
    texts = lambda drawn: {text for case in drawn for text in (case.prompt.text, case.rewrite.text)}  # noqa: E731
    seen = texts(draw(Swap, seed=3, **plain))
    assert seen and not seen & texts(draw(Swap, seed=3, texts=frozenset(seen), **plain))


def test_one_seed_gives_one_list():
    assert draw(Swap) == draw(Swap) != draw(Swap, seed=2)
    assert len({case.seed for case in draw(Swap)}) == COUNT


def test_impossible_cases_are_refused(monkeypatch):
    monkeypatch.setattr(cases, "TRIES", 50)
    with pytest.raises(ValueError, match="No 'swap' with unseen pairs can be drawn with 0 pairs held out"):
        draw(Swap, pairs="unseen", table=parse_table("a: [x, y]\nb: [u, v]"))
    with pytest.raises(ValueError, match="no kind of pairs 'new'. Kinds are: unseen, seen, any"):
        draw(Swap, pairs="new")
    assert Scale not in CANDIDATES  # a scaled concept has no rewrite to be held against


def test_strength_0_leaves_the_very_same_tensors(learnt):
    for case in draw(Swap, count=2):
        row = learnt.encoded(case.prompt)
        assert is_untouched(learnt.dictionary, case, row.cond, row.pooled)


def test_used_concepts_are_asked_for_in_turn():
    used = [0] * 28
    drawn = draw_cases(Swap, World(TABLE), 56, np.random.default_rng(0), used=used)
    asked = [TABLE.index(case.edits[0].concept) for case in drawn]
    assert used == [asked.count(one) for one in range(28)]
    assert min(used) >= 1 and max(used) <= 3  # two each, but for what the prompts' own values forbid
