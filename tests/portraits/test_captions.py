"""Captions of portraits: their words say the factors, and every word of theirs is one the encoders know."""

import re

import numpy as np
import pytest

from supsae.portraits import captions
from supsae.portraits.make import encoders
from supsae.portraits.scene import FACTORS, sample_factors
from supsae.portraits.text import load_encoders
from supsae.supsae_core.table import prompts

assert captions.PARAPHRASES, "the table of paraphrases is empty"
TABLE, FULL = captions.table(), captions.full_table()


def test_the_table_names_the_factors_of_the_pictures():
    wanted = {f"{category}: {value}" for category, values in FACTORS.items() for value in values}
    assert set(map(str, TABLE.concepts)) == wanted and list(TABLE.categories) == list(FACTORS)


@pytest.mark.parametrize("concept", captions.PARAPHRASES)
def test_paraphrases_are_known_to_the_model_only(concept):
    own = TABLE.concepts[TABLE.index(concept)].phrases
    assert FULL.concepts[FULL.index(concept)].phrases == (*own, *captions.PARAPHRASES[concept])
    assert not set(captions.PARAPHRASES[concept]) & {phrase.text for phrase in TABLE.phrases}


@pytest.mark.parametrize("seed", range(8))
def test_a_caption_says_factors_of_its_picture(seed):
    rng = np.random.default_rng(seed)
    factors = sample_factors(rng)
    prompt = captions.caption(factors, rng)
    for mention in prompt.mentions:
        words = [*prompt.words[mention.start : mention.stop - 1], prompts.trim(prompt.words[mention.stop - 1])]
        phrase = FULL.phrases[mention.phrase]
        concept = FULL.concepts[phrase.concept]
        assert phrase.text == " ".join(words) and factors[concept.category] == concept.name
    assert len(re.findall(r"\w+|[^\w\s]", prompt.text)) <= captions.LONGEST


@pytest.mark.parametrize("turned", [False, True])
def test_a_caption_of_two_says_both_in_the_order_asked_for(turned):
    left, right = ([TABLE.phrases[one].text for one in some] for some in ((3, 30), (12,)))
    prompt = captions.caption_of_two(TABLE, ((3, 30), (12,)), np.random.default_rng(1), turned=turned)
    said = [" ".join(prompt.words[one.start : one.stop]).rstrip(",") for one in prompt.mentions]
    assert said == ([*right, *left] if turned else [*left, *right])
    assert (prompt.text.index("right") < prompt.text.index("left")) == turned
    assert set(re.findall(r"[a-z]+", prompt.text)) <= set(load_encoders().tokenizer.words)


def test_captions_leave_categories_out():
    rng = np.random.default_rng(0)
    said = [len(captions.caption(sample_factors(rng), rng).mentions) for _ in range(100)]
    # a share drawn from 0.3 … 1 of 8 categories: 5.2 on average; the mean of 100 has a standard error of about 0.2
    assert 4.4 < np.mean(said) < 6 and min(said) < 3 and max(said) == 8


def test_phrases_have_one_to_five_words():
    assert all(1 <= len(phrase.words) <= 6 for phrase in FULL.phrases) and len(FULL.phrases) > len(FULL)


def test_the_encoders_know_every_word():
    rng, known = np.random.default_rng(0), load_encoders().tokenizer.words
    said = " ".join(captions.caption(sample_factors(rng), rng).text for _ in range(100))
    assert set(re.findall("[a-z]+", said)) <= set(known)
    assert list(known) == sorted(set(known)) == list(encoders.tokenizer().words)
