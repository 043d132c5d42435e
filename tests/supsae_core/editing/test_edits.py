"""What edits ask for: a table of what is said, what is asked, and the change of support that follows."""

from dataclasses import replace

import pytest

from supsae.supsae_core.editing.change import Change, Edit
from supsae.supsae_core.editing.edits import (
    ACTIONS,
    EDITS,
    STRENGTHS,
    Add,
    Clear,
    Keep,
    Remove,
    Scale,
    Swap,
    Turn,
    aim,
    edit_name,
    make_edit,
    resolve_edits,
    scaled,
    spell_edit,
)

assert EDITS and ACTIONS, "the tables of edits are empty"

BEACH, FOREST, CITY = "background: beach", "background: forest", "background: city"
RED = "hair: red"


@pytest.fixture(scope="module")
def dictionary(learnt):
    """With a slider map that tells slider positions from strengths: twice the position."""
    return replace(learnt.dictionary, slider=((1.0, 2.0),))


def resolved(dictionary, asked, *said):
    index = dictionary.table.index
    return [
        (
            *(None if one is None else str(dictionary.table.concepts[one]) for one in (change.old, change.new)),
            *(change[2:5] if change.occurrence else change[2:4]),
        )
        for change in resolve_edits(dictionary, asked, [index(one) for one in said])
    ]


RESOLVED = {
    "swap": ([Swap(FOREST)], (RED, BEACH), [(BEACH, FOREST, 2.0, False)]),
    "swap of nothing adds": ([Swap(FOREST)], (RED,), [(None, FOREST, 2.0, False)]),
    "swap for itself": ([Swap(BEACH)], (BEACH,), []),
    "swap of two values": ([Swap(CITY)], (BEACH, FOREST), [(BEACH, CITY, 2.0, False), (FOREST, CITY, 2.0, False)]),
    "swap of two mentions": ([Swap(CITY)], (BEACH, BEACH), [(BEACH, CITY, 2.0, False)]),
    "swap for one of two": ([Swap(BEACH)], (BEACH, FOREST), [(FOREST, BEACH, 2.0, False)]),
    "swap at 0": ([Swap(FOREST, 0.0)], (BEACH,), []),
    "turn": ([Turn(FOREST, 0.5)], (BEACH,), [(BEACH, FOREST, 1.0, False)]),
    "turn to what is said": ([Turn(BEACH)], (BEACH,), []),
    "turn to less of what is said": ([Turn(BEACH, 0.5)], (BEACH,), []),
    "turn to more of what is said": ([Turn(BEACH, 1.5)], (BEACH,), [(BEACH, None, 0.5, True)]),
    "turn one and more of the other": (
        [Turn(BEACH, 1.5)],
        (BEACH, FOREST),
        [(FOREST, BEACH, 3.0, False), (BEACH, None, 0.5, True)],
    ),
    "add": ([Add(RED, 0.5)], (BEACH,), [(None, RED, 1.0, False)]),
    "add at 0": ([Add(RED, 0.0)], (BEACH,), []),
    "remove": ([Remove(BEACH, -1.0)], (BEACH,), [(BEACH, None, -2.0, False)]),
    "remove at 0": ([Remove(BEACH, 0.0)], (BEACH,), []),
    "scale": ([Scale(BEACH, 1.5)], (BEACH,), [(BEACH, None, 0.5, True)]),
    "scale to the mean": ([Scale(BEACH, 0.0)], (BEACH,), [(BEACH, None, -1.0, True)]),
    "scale by 1": ([Scale(BEACH, 1.0)], (BEACH,), []),
    "several": ([Remove(RED), Swap(FOREST)], (BEACH, RED), [(RED, None, 2.0, False), (BEACH, FOREST, 2.0, False)]),
    "swap the second mention": ([Swap(CITY, 1.0, 2)], (BEACH, RED, FOREST), [(FOREST, CITY, 2.0, False, 1)]),
    "swap the second beach": ([Swap(CITY, 1.0, 2)], (BEACH, BEACH), [(BEACH, CITY, 2.0, False, 2)]),
    "remove the second beach": ([Remove(BEACH, 1.0, 2)], (BEACH, FOREST, BEACH), [(BEACH, None, 2.0, False, 2)]),
    "scale the first beach": ([Scale(BEACH, 1.5, 1)], (BEACH, BEACH), [(BEACH, None, 0.5, True, 1)]),
    "clear": ([Clear("background")], (RED, BEACH), [(BEACH, None, 2.0, False)]),
    "clear of two": (
        [Clear("Background", 0.5)],
        (BEACH, FOREST),
        [(BEACH, None, 1.0, False), (FOREST, None, 1.0, False)],
    ),
    "clear of two mentions": ([Clear("background")], (BEACH, BEACH), [(BEACH, None, 2.0, False)]),
    "clear of nothing": ([Clear("background")], (RED,), []),
    "clear at 0": ([Clear("background", 0.0)], (BEACH,), []),
    "keep": ([Keep("background")], (BEACH,), []),
    "keep beside": ([Keep("hair"), Swap(FOREST)], (BEACH,), [(BEACH, FOREST, 2.0, False)]),
    "keep twice": ([Keep("hair"), Keep("HAIR")], (BEACH,), []),
    "none": ([], (BEACH,), []),
}


def test_every_edit_is_resolved_somewhere():
    assert {type(one) for asked, _, _ in RESOLVED.values() for one in asked} == {*EDITS, Keep}


@pytest.mark.parametrize("place", [0, 1])
def test_what_is_kept_stands_in_every_change(dictionary, place):
    categories = dictionary.table.categories
    asked = [Swap(FOREST), Clear("hat")]
    asked.insert(place, Keep("Eyes"))  # before or behind what it is kept from
    said = [dictionary.table.index(one) for one in (BEACH, "hat: crown")]
    found = resolve_edits(dictionary, [*asked, Keep("hair")], said)
    assert [change.off for change in found] == [(categories["eyes"], categories["hair"])] * 2
    assert [change.off for change in resolve_edits(dictionary, [Swap(FOREST)], said)] == [()]


@pytest.mark.parametrize(
    ("edit", "about", "text"),
    [
        (Swap(RED, 0.5), ("hair: red", "hair"), "swap hair: red (strength 0.5)"),
        (Turn(RED), ("hair: red", "hair"), "swap hair: red (strength 1)"),  # what an artist knows it as
        (Add(RED), ("hair: red", "hair"), "add hair: red (strength 1)"),
        (Remove(RED), ("hair: red", "hair"), "remove hair: red (strength 1)"),
        (Scale(RED), ("hair: red", "hair"), "scale hair: red (strength 1)"),
        (Clear("hair", 0.5), (None, "hair"), "clear hair (strength 0.5)"),
        (Keep("hair"), (None, "hair"), "keep hair"),
    ],
)
def test_aim_and_spelling(dictionary, edit, about, text):
    table = dictionary.table
    index, category, members = aim(table, edit)
    assert (None if index is None else str(table.concepts[index]), category) == about
    assert members == table.categories["hair"]
    assert spell_edit(edit) == text and edit_name(edit) == (about[0] or about[1])
    assert aim(table, scaled(edit, 2)) == aim(table, edit)


def test_actions_are_permanent():
    assert list(ACTIONS)[:4] == ["swap", "add", "remove", "scale"]  # a widget stores them
    assert all(issubclass(edit, Edit) for edit in ACTIONS.values())
    assert not {"clear", "keep"} & set(ACTIONS)  # what is about a whole category is not made by an action


def test_strength_of_what_is_kept_is_none(dictionary):
    assert scaled(Keep("hair"), 0.5) == Keep("hair") and scaled(Clear("hair"), 0.5) == Clear("hair", 0.5)


@pytest.mark.parametrize("name", RESOLVED)
def test_resolution(dictionary, name):
    asked, said, wanted = RESOLVED[name]
    assert resolved(dictionary, asked, *said) == wanted


@pytest.mark.parametrize(
    ("asked", "said", "message"),
    [
        ([Swap("hair: rde")], (), "no concept 'hair: rde' in this table. Did you mean 'hair: red'"),
        (
            [Add(BEACH)],
            (FOREST,),
            "Cannot add 'background: beach': the prompt says 'background: forest' already. Use .*'swap'",
        ),
        ([Add(BEACH)], (BEACH,), "Cannot add 'background: beach': the prompt says 'background: beach' already"),
        (
            [Remove(BEACH)],
            (FOREST,),
            "Cannot remove 'background: beach': the prompt does not say it .it says 'background: fo",
        ),
        ([Remove(BEACH)], (RED,), "Cannot remove 'background: beach'.*its category is not mentioned"),
        ([Scale(BEACH)], (RED,), "Cannot scale 'background: beach': the prompt does not say it"),
        (
            [Swap(FOREST), Remove(BEACH)],
            (BEACH,),
            "Two edits .'background: forest' and 'background: beach'. change 'backgr",
        ),
        ([Keep("hair"), Swap(RED)], (), "Two edits .'hair' and 'hair: red'. change 'hair'. Keep one"),
        ([Swap(RED), Keep("hair")], (), "Two edits .'hair: red' and 'hair'. change 'hair'. Keep one"),
        ([Clear("hair"), Keep("hair")], (), "Two edits .'hair' and 'hair'. change 'hair'. Keep one"),
        ([Clear("hair"), Clear("hair")], (), "Two edits .'hair' and 'hair'. change 'hair'. Keep one"),
        ([Clear("horns")], (), "no category 'horns' in this table. It has: background, hair"),
        ([Keep("horns")], (), "no category 'horns' in this table"),
    ],
)
def test_what_cannot_be_done_says_why(dictionary, asked, said, message):
    with pytest.raises(ValueError, match=message):
        resolved(dictionary, asked, *said)


@pytest.mark.parametrize("asked", [Add(BEACH), Remove(BEACH), Swap(BEACH), Clear("background")])
def test_what_was_never_left_out_cannot_be_added_or_removed(dictionary, asked):
    blind = replace(dictionary, identified=(False, *dictionary.identified[1:]))
    said = (BEACH,) if isinstance(asked, Remove | Clear) else ()
    with pytest.raises(ValueError, match="every captured prompt mentions 'background'.*lower mention rate, or swap"):
        resolved(blind, [asked], *said)
    assert resolved(blind, [Swap(FOREST)], BEACH) == [(BEACH, FOREST, 2.0, False)]
    assert resolved(blind, [Clear("background")]) == []


def test_what_was_never_captured_cannot_be_said(dictionary):
    lengths = dictionary.parts["t5"].slot_tokens.clone()
    lengths[:2] = 0  # both phrases of the beach
    blind = replace(dictionary, parts={**dictionary.parts, "t5": replace(dictionary.parts["t5"], slot_tokens=lengths)})
    with pytest.raises(ValueError, match="'background: beach' was never written in the captured prompts"):
        resolved(blind, [Swap(BEACH)], FOREST)


@pytest.mark.parametrize("action", ACTIONS)
def test_spelling(action):
    made = make_edit(action, RED, 1)
    assert made == ACTIONS[action](RED, 1.0) and isinstance(made.strength, float)
    assert action == type(made).__name__.lower()
    assert scaled(made, 0.5) == ACTIONS[action](RED, 0.5)
    assert {make_edit(action, RED, strength).strength for strength in STRENGTHS} == set(STRENGTHS)


@pytest.mark.parametrize("strength", [-2.1, 3.1, float("nan"), float("inf")])
def test_strengths_out_of_range(strength):
    with pytest.raises(ValueError, match="strength .* of 'hair: red' is outside -2 … 3. 1 is writing the word"):
        make_edit("swap", RED, strength)


def test_what_is_to_be_added_has_no_occurrence():
    assert make_edit("swap", RED, 1.0, 2) == Swap(RED, 1.0, 2)
    with pytest.raises(ValueError, match="'add' does not choose between mentions of 'hair: red'.*no occurrence 2"):
        make_edit("add", RED, 1.0, 2)


def test_unknown_action():
    with pytest.raises(ValueError, match="no action 'Swap'. Actions are: swap, add, remove, scale"):
        make_edit("Swap", RED, 1.0)


def test_changes_are_what_their_fields_say():
    wanted = {"old": 1, "new": 2, "alpha": 0.5, "scale": False, "occurrence": 0, "off": ()}
    assert Change(1, 2, 0.5)._asdict() == wanted
