"""Prompts: every mention spells its phrase, held-out pairs never meet, and a rewrite changes what was asked."""

import numpy as np
import pytest

from supsae.portraits import captions
from supsae.supsae_core.table import prompts
from supsae.supsae_core.table.parsing import parse_table, table_from_mapping
from supsae.supsae_core.table.prompts import Mention, Prompt, Wording, draw_prompt

TABLE = captions.table()
SMALL = parse_table("hair: {red: [red hair, ginger hair], black: black hair}\nhat: [no hat, top hat]")
RED, BLACK, NO_HAT, TOP_HAT = range(4)


def prompt_of(text, *mentions):
    """A prompt of SMALL; mentions are (phrase, first word, behind the last word)."""
    return Prompt(tuple(text.split()), tuple(Mention(*one) for one in mentions))


@pytest.mark.parametrize("seed", range(40))
def test_mentions_spell_their_phrases_in_order(seed):
    prompt = draw_prompt(TABLE, np.random.default_rng(seed), wording=captions.WORDING)
    for mention in prompt.mentions:
        *words, last = prompt.words[mention.start : mention.stop]
        assert (*words, prompts.trim(last)) == TABLE.phrases[mention.phrase].words
    edges = [edge for mention in prompt.mentions for edge in (mention.start, mention.stop)]
    assert edges == sorted(edges) and prompt.text.split() == list(prompt.words)
    categories = [TABLE.category_of[concept] for concept in prompt.support(TABLE)]
    assert len(set(categories)) == len(categories)
    assert prompt == draw_prompt(TABLE, np.random.default_rng(seed), wording=captions.WORDING)


@pytest.mark.parametrize("categories", [20, 60])
def test_of_many_categories_a_prompt_mentions_as_many_as_it_has_room_for(categories):
    table = table_from_mapping({f"c{i}": {"a": [f"word{i}"], "b": [f"other{i}"]} for i in range(categories)})
    drawn = [len(draw_prompt(table, np.random.default_rng(seed)).mentions) for seed in range(400)]
    # a sum of independent choices: its variance is below its mean of 10.5, so 400 are within 4 · √(10.5 / 400) = 0.65
    assert abs(sum(drawn) / 400 - 10.5) < 0.65


@pytest.mark.parametrize(("mention", "count"), [(0.0, 0), (1.0, len(TABLE.categories))])
def test_mention_rate(mention, count):
    # at 0 no category is written and at 1 every one is
    assert len(draw_prompt(TABLE, np.random.default_rng(0), mention=mention).mentions) == count


def test_required_concepts_are_written_and_nothing_else_of_their_categories():
    for seed in range(20):
        support = draw_prompt(SMALL, np.random.default_rng(seed), require=[BLACK]).support(SMALL)
        assert BLACK in support and RED not in support


def test_pairs_that_are_held_out_never_meet():
    held_out = prompts.hold_out_pairs(TABLE, 0.5, 0)
    drawn = [draw_prompt(TABLE, np.random.default_rng(seed), held_out=held_out) for seed in range(100)]
    supports = [prompt.support(TABLE) for prompt in drawn]
    assert not any(prompts.has_pair(support, held_out) for support in supports)
    assert any(prompts.has_pair(support, prompts.hold_out_pairs(TABLE, 0.5, 1)) for support in supports)


def test_counts_of_use_even_out():
    # The rarest concept and then its rarest phrase is written: in a category no phrase gets ahead by more than one.
    used, rng = [0] * len(TABLE.phrases), np.random.default_rng(0)
    written = [draw_prompt(TABLE, rng, mention=1.0, used=used) for _ in range(25)]
    assert sum(used) == 25 * len(TABLE.categories) == sum(len(one.mentions) for one in written)
    for members in TABLE.categories.values():
        counts = [used[i] for i, phrase in enumerate(TABLE.phrases) if phrase.concept in members]
        assert max(counts) - min(counts) <= 1


def test_held_out_pairs():
    # SMALL has 2 × 2 pairs of concepts of different categories; half of them are two
    pairs = prompts.hold_out_pairs(SMALL, 0.5, 3)
    assert len(pairs) == 2 and pairs == prompts.hold_out_pairs(SMALL, 0.5, 3)
    assert all(len({SMALL.category_of[concept] for concept in pair}) == 2 for pair in pairs)
    assert prompts.hold_out_pairs(SMALL, 0.0, 3) == frozenset()
    held_out = frozenset({frozenset({RED, TOP_HAT})})
    assert [prompts.has_pair(some, held_out) for some in ([TOP_HAT, RED], [RED, NO_HAT], [RED])] == [True, False, False]


def test_a_wording_without_choices_is_written_as_told():
    # opener, phrase, filler behind a comma, joiner, phrase: the phrases are shuffled, so ask for one
    plain = Wording(openers=("one",), joiners=("then",), fillers=("last words",), filler_rate=1.0, lead_rate=0.0)
    texts = {
        draw_prompt(SMALL, np.random.default_rng(seed), wording=plain, require=[BLACK], mention=0.0).text
        for seed in range(30)
    }
    # a tag list may drop the opener; a sentence may end in a full stop
    assert texts == {"one black hair, last words", "one black hair, last words.", "black hair, last words"}


def test_what_leads_a_phrase_is_none_of_its_words():
    led = Wording(openers=("one",), fillers=("last words",), filler_rate=0.0, leads=("wearing a",), lead_rate=1.0)
    for seed in range(8):
        prompt = draw_prompt(SMALL, np.random.default_rng(seed), wording=led, require=[BLACK], mention=0.0)
        (mention,) = prompt.mentions
        assert prompt.words[mention.start - 2 : mention.start] == ("wearing", "a")
        assert [word.rstrip(",.") for word in prompt.words[mention.start : mention.stop]] == ["black", "hair"]


PLAIN = prompt_of("a cat with red hair, and top hat.", (0, 3, 5), (4, 6, 8))


CHANGED = {
    # as many words: nothing moves
    "rewrite": (prompts.rewrite, (RED, BLACK), "a cat with black hair, and top hat.", [(2, 3, 5), (4, 6, 8)]),
    "before a stop": (prompts.rewrite, (TOP_HAT, NO_HAT), "a cat with red hair, and no hat.", [(0, 3, 5), (3, 6, 8)]),
    # words go with their punctuation, and what stands behind them moves
    "delete": (prompts.delete, (RED,), "a cat with and top hat.", [(4, 4, 6)]),
    "delete the last": (prompts.delete, (TOP_HAT,), "a cat with red hair, and", [(0, 3, 5)]),
}


@pytest.mark.parametrize(("change", "concepts", "text", "mentions"), CHANGED.values(), ids=CHANGED)
def test_a_change_keeps_every_other_word(change, concepts, text, mentions):
    assert change(SMALL, PLAIN, *concepts) == prompt_of(text, *mentions)


def test_rewrite_shifts_what_follows():
    # seaside (1 word) → green forest (2 words): everything behind moves by one
    beach, forest, red = map(TABLE.index, ("background: beach", "background: forest", "hair: red"))
    seaside, (green, hair) = TABLE.first_phrase[beach] + 1, (TABLE.first_phrase[one] for one in (forest, red))
    made = prompts.rewrite(TABLE, prompt_of("seaside, red hair", (seaside, 0, 1), (hair, 1, 3)), beach, forest)
    assert made == prompt_of("green forest, red hair", (green, 0, 2), (hair, 2, 4))


@pytest.mark.parametrize(
    ("before", "after"), [("a cat", "a cat, "), ("a cat.", "a cat, "), ("a cat.,", "a cat, "), ("", "")]
)
def test_append_writes_behind_a_comma(before, after):
    count = len(before.split())
    made = prompts.append(SMALL, prompt_of(before), BLACK)
    assert made == prompt_of(f"{after}black hair", (2, count, count + 2))


@pytest.mark.parametrize(("change", "new"), [(prompts.delete, ()), (prompts.rewrite, (RED,))])
def test_what_is_not_said_cannot_be_rewritten(change, new):
    with pytest.raises(ValueError, match="'a cat with red hair, and top hat.' does not say 'hair: black'"):
        change(SMALL, PLAIN, BLACK, *new)


@pytest.mark.parametrize(
    ("word", "trimmed"), [("hair", "hair"), ("hair,", "hair"), ("a.b!?", "a.b"), (",.", ",."), ("1.5", "1.5")]
)
def test_trim(word, trimmed):
    assert prompts.trim(word) == trimmed


@pytest.mark.parametrize(("full", "counts"), [(0, {0, 1}), (2, {0, 1}), (5, {0, 1, 2, 3})])  # beside two phrases
def test_prompts_are_filled_up_by_any_number_of_others(full, counts):
    rng, wording = np.random.default_rng(0), Wording(others=("an old man",), full=full, shared=0.0)
    drawn = [draw_prompt(SMALL, rng, wording=wording, mention=1.0) for _ in range(60)]
    assert {one.text.count("an old man") for one in drawn} == counts
    assert all(len(one.mentions) == 2 for one in drawn)
    assert len({one.text.find("an old man") < one.mentions[0].start for one in drawn}) == 2  # before a phrase or behind


def test_a_table_that_knows_all_others_draws_as_if_there_were_none():
    wordings = [Wording(others=some) for some in ((), ("red shoes", "a black dog"))]
    one, other = (draw_prompt(SMALL, np.random.default_rng(3), wording=some, mention=1.0) for some in wordings)
    assert one == other
