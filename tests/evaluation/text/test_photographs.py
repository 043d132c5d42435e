"""The table of photographs: its size, and distractors that share its words and say none of its phrases."""

from supsae.evaluation.text.photographs import DISTRACTORS, WORDING, among_distractors, table
from supsae.portraits import captions
from supsae.supsae_core.table.foreign import apart


def test_it_has_eight_categories_of_six_values():
    made = table()
    assert [len(members) for members in made.categories.values()] == [6] * 8
    assert all(1 <= len(concept.phrases) <= 2 for concept in made.concepts)


def test_other_things_share_no_word_with_it_and_distractors_do():
    made = table()
    assert apart(made, WORDING.others) == WORDING.others
    wording = among_distractors(made, WORDING)
    assert wording.fillers == DISTRACTORS and wording.filler_rate == 0.5
    assert all(made.words & set(one.split()) for one in wording.fillers)


def test_another_table_gets_what_shares_its_words():
    # Portraits speak of black hair and of no moon
    own = among_distractors(captions.table(), captions.WORDING).fillers
    assert "black ink" in own and "the moon landing" not in own
