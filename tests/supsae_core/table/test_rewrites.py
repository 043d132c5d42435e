"""Rewrites to learn edits from: one phrase replaced, added or deleted."""

from collections import Counter

import numpy as np

from supsae.portraits import captions
from supsae.supsae_core.table import prompts
from supsae.supsae_core.table.parsing import parse_table
from supsae.supsae_core.table.rewrites import draw_rewrite

TABLE = captions.table()


def drawn(count, held_out=frozenset()):
    """Prompts with a rewrite each, and how often each phrase was written anew."""
    rng, used, found = np.random.default_rng(0), [0] * len(TABLE.phrases), []
    for _ in range(count):
        prompt = prompts.draw_prompt(TABLE, rng, wording=captions.WORDING, mention=0.7, held_out=held_out)
        found.append((prompt, draw_rewrite(TABLE, rng, prompt, held_out=held_out, used=used)))
    return [(one, made) for one, made in found if made is not None], used


def test_one_phrase_changes_and_every_kind_is_drawn():
    pairs, _ = drawn(400)
    kinds = Counter(len(made.mentions) - len(one.mentions) for one, made in pairs)
    # an eighth each adds or deletes: 50 of 400, give or take 3 × 7
    assert 29 <= kinds[1] <= 71 and 29 <= kinds[-1] <= 71 and kinds[0] + kinds[1] + kinds[-1] == len(pairs)
    for one, made in pairs:
        before, after = (Counter(mention.phrase for mention in prompt.mentions) for prompt in (one, made))
        assert (before - after).total() <= 1 and (after - before).total() <= 1 and before != after


def test_held_out_pairs_stay_apart():
    held_out = prompts.hold_out_pairs(TABLE, 0.2, 0)
    pairs, _ = drawn(200, held_out)
    assert pairs and not any(prompts.has_pair(made.support(TABLE), held_out) for _, made in pairs)


def test_rare_phrases_come_first():
    _, used = drawn(400)
    # some 350 are written, of 56 phrases or so: six each; what a category's prompts leave to choose blurs it
    assert min(used) >= 0.3 * sum(used) / len(used)


def test_where_no_other_phrase_may_stand_one_is_deleted_or_there_is_none():
    table, rng = parse_table("hair: [red hair, black hair]\nhat: [cap, crown]"), np.random.default_rng(0)
    held_out = {frozenset((1, 2)), frozenset((0, 3))}  # black hair with a cap, red hair with a crown
    prompt = prompts.draw_prompt(table, rng, require=[0, 2])
    made = [draw_rewrite(table, rng, prompt, held_out=held_out, used=[0] * 4) for _ in range(60)]
    assert {None if one is None else len(one.mentions) for one in made} == {None, 1}
