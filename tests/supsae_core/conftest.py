"""Builders that the tests of several rooms share."""

import pytest

from supsae.portraits import captions
from supsae.supsae_core.table.prompts import Mention, Prompt


@pytest.fixture(scope="session")
def said():
    """Return `said(*parts)`: a prompt of concepts in their first phrase, and any other words."""
    table = captions.table()
    spellings = {str(concept): index for index, concept in enumerate(table.concepts)}

    def make(*parts):
        words, mentions = [], []
        for part in parts:
            text = part
            if part in spellings:
                phrase = table.first_phrase[spellings[part]]
                text = table.phrases[phrase].text
                mentions.append(Mention(phrase, len(words), len(words) + len(text.split())))
            words += text.split()
        return Prompt(tuple(words), tuple(mentions))

    return make
