"""What edits ask for: a table of what is said, what is asked, and the change of support that follows."""

from dataclasses import replace

import pytest

from supsae.supsae_core.dictionary.slider_map import SliderMap
from supsae.supsae_core.editing.between import Between
from supsae.supsae_core.editing.change import Edit
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
    Weigh,
    aim,
    edit_name,
    make_edit,
    resolve_edits,
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
    """Changes as (old, new, alpha, scale) or (old, new, alpha, scale, occurrence), concepts by name."""
    table, found = dictionary.table, []
    for change in resolve_edits(dictionary, asked, [table.index(one) for one in said]):
        names = [None if one is None else str(table.concepts[one]) for one in change[:2]]
        found.append((*names, *change[2 : 5 if change.occurrence else 4]))
    return found


RESOLVED = {
    "swap": ([Swap(FOREST)], (RED, BEACH), [(BEACH, FOREST, 2.0, False)]),
    "swap of nothing adds": ([Swap(FOREST)], (RED,), [(None, FOREST, 2.0, False)]),
    "swap of two mentions": ([Swap(CITY)], (BEACH, BEACH), [(BEACH, CITY, 2.0, False)]),
    "swap for itself": ([Swap(BEACH)], (BEACH,), []),
    "swap of two values": ([Swap(CITY)], (BEACH, FOREST), [(BEACH, CITY, 2.0, False), (FOREST, CITY, 2.0, False)]),
    "turn": ([Turn(FOREST, 0.5)], (BEACH,), [(BEACH, FOREST, 1.0, False)]),
    "turn to less of what is said": ([Turn(BEACH, 0.5)], (BEACH,), []),
    "turn to more of what is said": ([Turn(BEACH, 1.5)], (BEACH,), [(BEACH, None, 0.5, True)]),
    "turn to one of two": (
        [Turn(BEACH, 1.5)],
        (BEACH, FOREST),
        [(FOREST, BEACH, 3.0, False), (BEACH, None, 0.5, True)],
    ),
    # positions −1 … 1 are strengths 0 … 1 away from the end that is said: (p + 1) / 2 up, (1 − p) / 2 down
    "between, from the lower end": ([Between(BEACH, 0.5, FOREST)], (BEACH,), [(BEACH, FOREST, 1.5, False)]),
    "between, from the upper end": ([Between(BEACH, 0.5, FOREST)], (FOREST,), [(FOREST, BEACH, 0.5, False)]),
    "between, where it stands": ([Between(BEACH, -1.0, FOREST)], (BEACH,), []),
    "between, more of the lower end": ([Between(BEACH, -1.25, FOREST)], (BEACH,), [(BEACH, None, 0.25, True)]),
    "between, more of the upper end": ([Between(BEACH, 1.5, FOREST)], (FOREST,), [(FOREST, None, 0.5, True)]),
    "between, from elsewhere down": ([Between(BEACH, -0.5, FOREST)], (CITY,), [(CITY, BEACH, 1.0, False)]),
    "between, from elsewhere up": ([Between(BEACH, 1.0, FOREST)], (CITY,), [(CITY, FOREST, 2.0, False)]),
    "the middle, from elsewhere": ([Between(BEACH, 0.0, FOREST)], (CITY,), []),
    "between, from nothing": ([Between(BEACH, -0.5, FOREST)], (RED,), [(None, BEACH, 1.0, False)]),
    "the middle of nothing": ([Between(BEACH, 0.0, FOREST)], (RED,), []),
    "between, both said": (
        [Between(BEACH, 0.0, FOREST)],
        (BEACH, FOREST),
        [(BEACH, FOREST, 1.0, False), (FOREST, BEACH, 1.0, False)],
    ),
    "add": ([Add(RED, 0.5)], (BEACH,), [(None, RED, 1.0, False)]),
    "remove": ([Remove(BEACH, -1.0)], (BEACH,), [(BEACH, None, -2.0, False)]),
    "scale": ([Scale(BEACH, 1.5)], (BEACH,), [(BEACH, None, 0.5, True)]),
    "several": ([Remove(RED), Swap(FOREST)], (BEACH, RED), [(RED, None, 2.0, False), (BEACH, FOREST, 2.0, False)]),
    "swap the second mention": ([Swap(CITY, 1.0, 2)], (BEACH, RED, FOREST), [(FOREST, CITY, 2.0, False, 1)]),
    "swap the second beach": ([Swap(CITY, 1.0, 2)], (BEACH, BEACH), [(BEACH, CITY, 2.0, False, 2)]),
    "remove the second beach": ([Remove(BEACH, 1.0, 2)], (BEACH, FOREST, BEACH), [(BEACH, None, 2.0, False, 2)]),
    "scale the first beach": ([Scale(BEACH, 1.5, 1)], (BEACH, BEACH), [(BEACH, None, 0.5, True, 1)]),
    "clear": ([Clear("background")], (RED, BEACH), [(BEACH, None, 2.0, False)]),
    "clear of two": ([Clear("Background")], (BEACH, FOREST), [(BEACH, None, 2.0, False), (FOREST, None, 2.0, False)]),
    "weigh": ([Weigh("background", 1.5)], (RED, BEACH), [(BEACH, None, 0.5, True)]),
    "weigh both": (
        [Weigh("background", 0.0)],
        (BEACH, FOREST),
        [(BEACH, None, -1.0, True), (FOREST, None, -1.0, True)],
    ),
    "weigh as it is": ([Weigh("background", 1.0)], (BEACH,), []),
    "weigh of nothing": ([Weigh("background", 2.0)], (RED,), []),
    "clear of nothing": ([Clear("background")], (RED,), []),
    "keep beside": ([Keep("hair"), Swap(FOREST)], (BEACH,), [(BEACH, FOREST, 2.0, False)]),
    "keep twice": ([Keep("hair"), Keep("HAIR")], (BEACH,), []),
}


@pytest.mark.parametrize("name", RESOLVED)
def test_every_step_through_the_slider_takes_its_concepts_map(dictionary, name):
    """Both backgrounds' maps treble what the dictionary's gives; what is scaled is a factor, and stays."""
    treble = SliderMap(((1.0, 3.0),), 0.0, 1.0)
    own = replace(dictionary, sliders=dict.fromkeys((BEACH, FOREST, CITY), treble))
    asked, said, wanted = RESOLVED[name]
    steps = [
        (old, new, alpha * (1 if scale or RED in (old, new) else 3), scale) for old, new, alpha, scale, *_ in wanted
    ]
    assert [found[:4] for found in resolved(own, asked, *said)] == steps


def test_without_a_map_of_its_own_a_concept_takes_the_dictionarys(learnt):
    bent = replace(learnt.dictionary, slider=((0.3, 0.1), (0.7, 0.9), (1.0, 1.0), (2.0, 2.0)))
    other = replace(bent, sliders={RED: SliderMap(((1.0, 3.0),), 0.0, 1.0)})
    for position in (-1.7, 0.0, 0.11, 0.3, 0.5, 0.77, 1.0, 1.3, 3.0):
        assert bent.strength(position) == bent.strength(position, 0) == other.strength(position, 0)


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
    ("edit", "name", "text"),
    [
        (Swap(RED, 0.5), RED, "swap hair: red (strength 0.5)"),
        (Turn(RED), RED, "swap hair: red (strength 1)"),  # what an artist knows it as
        (Clear("hair", 0.5), "hair", "clear hair (strength 0.5)"),
        (Keep("hair"), "hair", "keep hair"),
    ],
)
def test_aim_and_spelling(dictionary, edit, name, text):
    table = dictionary.table
    index, category, members = aim(table, edit)
    assert index == (table.index(name) if ":" in name else None)
    assert (category, members) == ("hair", table.categories["hair"])
    assert spell_edit(edit) == text and edit_name(edit) == name


def test_actions_are_permanent():
    assert list(ACTIONS)[:4] == ["swap", "add", "remove", "scale"]  # a widget stores them
    assert all(issubclass(edit, Edit) for edit in ACTIONS.values())
    assert not {"clear", "keep"} & set(ACTIONS)  # what is about a whole category is not made by an action


@pytest.mark.parametrize(("asked", "said", "wanted"), RESOLVED.values(), ids=RESOLVED)
def test_resolution(dictionary, asked, said, wanted):
    assert resolved(dictionary, asked, *said) == wanted


REFUSED = {
    "unknown concept": ([Swap("hair: rde")], (), "no concept 'hair: rde' in this table. Did you mean 'hair: red'"),
    "unknown category": ([Clear("horns")], (), "no category 'horns' in this table. It has: background, hair"),
    "category kept": ([Keep("horns")], (), "no category 'horns' in this table"),
    "add to another": ([Add(BEACH)], (FOREST,), "Cannot add 'background: beach'.*says 'background: forest' .*'swap'"),
    "add what is said": ([Add(BEACH)], (BEACH,), "Cannot add 'background: beach': the prompt says 'background: beach'"),
    "remove another": ([Remove(BEACH)], (FOREST,), "Cannot remove 'background: beach'.*it says 'background: forest'"),
    "remove nothing": ([Remove(BEACH)], (RED,), "Cannot remove 'background: beach'.*its category is not mentioned"),
    "scale nothing": ([Scale(BEACH)], (RED,), "Cannot scale 'background: beach': the prompt does not say it"),
    "two edits": ([Swap(FOREST), Remove(BEACH)], (BEACH,), "'background: forest' and 'background: beach'. change"),
    "keep and swap": ([Keep("hair"), Swap(RED)], (), "Two edits .'hair' and 'hair: red'. change 'hair'. Keep one"),
    "swap and keep": ([Swap(RED), Keep("hair")], (), "Two edits .'hair: red' and 'hair'. change 'hair'. Keep one"),
    "third of two mentions": ([Swap(CITY, 1.0, 3)], (BEACH, FOREST), "Occurrence 3 .* mentions its category 2 times"),
    "second of one": ([Remove(BEACH, 1.0, 2)], (BEACH, FOREST), "Occurrence 2 of .*beach'.* mentions it 1 times"),
    "occurrence below 0": ([Remove(BEACH, 1.0, -1)], (BEACH,), "Occurrence -1 .* does not exist"),
}


@pytest.mark.parametrize(("asked", "said", "message"), REFUSED.values(), ids=REFUSED)
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


@pytest.mark.parametrize("action", ACTIONS)
def test_spelling(action):
    made = make_edit(action, RED, 1)
    assert made == ACTIONS[action](RED, 1.0) and isinstance(made.strength, float)
    assert action == type(made).__name__.lower()
    assert [make_edit(action, RED, strength).strength for strength in STRENGTHS] == list(STRENGTHS)


@pytest.mark.parametrize(
    ("spelling", "message"),
    [
        (("swap", RED, -2.1), "strength -2.1 of 'hair: red' is outside -2 … 3. 1 is writing the word"),
        (("swap", RED, 3.1), "strength 3.1 of 'hair: red' is outside"),
        (("swap", RED, float("nan")), "strength nan of 'hair: red' is outside"),
        (("add", RED, 1.0, 2), "'add' does not choose between mentions of 'hair: red'.*no occurrence 2"),
        (("Swap", RED, 1.0), "no action 'Swap'. Actions are: swap, add, remove, scale"),
    ],
)
def test_spellings_that_are_refused(spelling, message):
    with pytest.raises(ValueError, match=message):
        make_edit(*spelling)
    assert make_edit("swap", RED, 1.0, 2) == Swap(RED, 1.0, 2)
