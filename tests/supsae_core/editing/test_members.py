"""Inside a model, and where one member replaces what only another knows."""

from dataclasses import replace

import pytest
import torch

from supsae.supsae_core.dictionary.combine import combine
from supsae.supsae_core.dictionary.file import load_dictionary, save_dictionary
from supsae.supsae_core.dictionary.slider_map import SliderMap
from supsae.supsae_core.editing import steer
from supsae.supsae_core.editing.edits import Swap, resolve_edits
from supsae.supsae_core.encoders.sites import Site
from supsae.supsae_core.reading.offer import accepted, offer
from supsae.supsae_core.reading.readout import read_conditioning
from supsae.supsae_core.table.concepts import ConceptTable


def elsewhere(dictionary):
    """Return a dictionary of the same words in categories of other names."""
    concepts = tuple(replace(one, category=f"other {one.category}") for one in dictionary.table.concepts)
    return replace(dictionary, table=ConceptTable(concepts))


@pytest.mark.parametrize("site", ["img@2", "txt@1"])
def test_streams_that_all_know_are_steered_as_alone(site, deep, row):
    both = combine(deep, elsewhere(deep))
    assert {*both.dictionary.streams} == {*deep.streams} and both.dictionary.centres == deep.centres
    where, made = steer.Where((Site(*site.split("@")[:1], int(site[-1])), steer.POOLED)), []
    for dictionary in (deep, both.dictionary):
        steer.check_sites(dictionary, where, masked=False)
        reading = read_conditioning(dictionary, row.cond)
        found = resolve_edits(dictionary, [Swap("hair: black")], reading.concepts(dictionary))
        made.append(steer.moves(dictionary, row.cond, reading, found, where))
    one, two = made
    assert torch.equal(one.pooled, two.pooled) and one.streams.keys() == two.streams.keys()
    assert all(torch.equal(step, two.streams[name]) for name, step in one.streams.items())
    assert (one.cond is None) == (two.cond is None) and (one.cond is None or torch.equal(one.cond, two.cond))


def test_a_prompt_that_nothing_changes_has_zeros(deep, row):
    whole = combine(deep, elsewhere(deep)).dictionary
    where = steer.Where((Site("cond"), Site("img", 2), steer.POOLED))
    found = steer.moves(whole, row.cond, read_conditioning(whole, row.cond), [], where)
    assert found.cond.shape == row.cond.shape and not found.cond.any() and not found.pooled.any()
    assert not found.streams[Site("img", 2)].any() and len(found.streams[Site("img", 2)]) == len(whole.centres)


def test_streams_that_one_lacks_are_left_out_and_told(deep, learnt):
    made = combine(deep, elsewhere(learnt.dictionary))
    assert not made.dictionary.streams and not made.dictionary.centres
    assert made.lines[-1].endswith("since not both know it at the same noise levels: img@2, img@3, txt@1.")


def test_streams_are_in_the_file(deep, tmp_path):
    whole = combine(deep, elsewhere(deep)).dictionary
    save_dictionary(whole, tmp_path / "whole.safetensors")
    there = load_dictionary(tmp_path / "whole.safetensors")
    assert there.streams.keys() == whole.streams.keys() and there.centres == whole.centres
    for name, levels in whole.streams.items():
        assert all(torch.equal(a.slot_codes, b.slot_codes) for a, b in zip(levels, there.streams[name], strict=True))


def test_an_offer_is_the_members(learnt, person):
    """Words outside the table are offered for a category by who knows it, in the numbers of the whole."""
    whole = combine(elsewhere(learnt.dictionary), learnt.dictionary).dictionary
    row, made = person("eyes: blue"), []
    for dictionary in (learnt.dictionary, whole):
        reading = read_conditioning(dictionary, row.cond)
        one = offer(dictionary, row.cond, reading, "hair")
        assert one is not None and one.category == "hair"
        phrase = dictionary.table.phrases[one.nearest(dictionary)]
        taken = accepted(dictionary, reading, one)
        assert str(dictionary.table.concepts[phrase.concept]).startswith("hair: ")
        made.append((one.how, phrase.text.removesuffix("-2"), len(taken.found) - len(reading.found)))
    assert made[0] == made[1]


def test_a_slider_of_the_whole_is_kept(learnt, tmp_path):
    whole = combine(learnt.dictionary, elsewhere(learnt.dictionary)).dictionary
    own = replace(whole, sliders={"hair: red": SliderMap(((0.5, 0.25), (1.0, 1.0)), 0.0, 1.0)})
    save_dictionary(own, tmp_path / "whole.safetensors")
    there = load_dictionary(tmp_path / "whole.safetensors")
    assert there.sliders == own.sliders and there.strength(0.5, there.table.index("hair: red")) == pytest.approx(0.25)
    assert there.strength(0.5, there.table.index("other hair: red")) == whole.strength(0.5, 0)
    again = combine(there, own)  # of what was combined before, too
    assert again.dictionary.sliders == own.sliders and len(again.dictionary.members) == 2
