"""Sites: one spelling for each, lists and ranges, and nothing else is a site."""

import pytest

from supsae.supsae_core.encoders.sites import KINDS, Site, check, parse_sites

assert KINDS, "the table of kinds is empty"
SITES = [Site(kind, block) for kind, numbered in KINDS.items() for block in ((0, 23) if numbered else (None,))]


@pytest.mark.parametrize("site", SITES, ids=str)
def test_spelling_round_trip(site):
    assert parse_sites(str(site)) == (site,) == parse_sites(f" {site} ")


def test_spellings():
    assert [str(site) for site in SITES] == ["cond", "pooled", "txt@0", "txt@23", "img@0", "img@23"]


def test_lists_and_ranges_keep_their_order_and_name_each_site_once():
    found = parse_sites("img@3, txt@0-2,pooled, txt@1")
    assert " ".join(map(str, found)) == "img@3 txt@0 txt@1 txt@2 pooled"


OTHERS = [
    "",
    "cond@1",
    "cond@0-1",
    "txt",
    "img@",
    "txt@-1",
    "txt@1.5",
    "audio@1",
    "TXT@1",
    "txt@1 img@2",
    "txt@1,",
    "txt@99999",
]


@pytest.mark.parametrize("text", OTHERS)
def test_other_spellings_are_refused(text):
    with pytest.raises(ValueError, match="There is no site .*cond, pooled, txt@i and img@i"):
        parse_sites(text)


def test_a_backward_range_says_the_right_one():
    with pytest.raises(ValueError, match=r"'txt@5-2' runs backwards. Write txt@2-5"):
        parse_sites("txt@5-2")


@pytest.mark.parametrize(("kind", "block"), [("cond", 0), ("txt", None), ("img", -1), ("audio", None)])
def test_sites_that_cannot_be(kind, block):
    with pytest.raises(ValueError, match="Sites are"):
        Site(kind, block)


@pytest.mark.parametrize(("text", "legal"), [("txt@24", "txt@0 … txt@23"), ("img@25", "img@0 … img@24")])
def test_the_blocks_of_a_model(text, legal):
    check(parse_sites("cond, pooled, txt@0-23, img@0-24"), 24)  # img@24 leaves the last block
    with pytest.raises(ValueError, match=f"no {text}: this model has 24 blocks, so {legal}"):
        check(parse_sites(text), 24)
