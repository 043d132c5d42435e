"""Sites: one spelling for each, and nothing else is a site."""

import pytest

from supsae.supsae_core.sites import KINDS, Site, parse

assert KINDS, "the table of kinds is empty"
SITES = [Site(kind, block) for kind, numbered in KINDS.items() for block in ((0, 23) if numbered else (None,))]


@pytest.mark.parametrize("site", SITES, ids=str)
def test_spelling_round_trip(site):
    assert parse(str(site)) == site == parse(f" {site} ")
    assert len({site, parse(str(site))}) == 1


def test_spellings():
    assert [str(site) for site in SITES] == ["cond", "pooled", "txt@0", "txt@23", "img@0", "img@23"]


@pytest.mark.parametrize("text", ["", "cond@1", "txt", "img@", "txt@-1", "txt@1.5", "audio@1", "TXT@1", "txt@1 img@2"])
def test_other_spellings_are_refused(text):
    with pytest.raises(ValueError, match="There is no site .*cond, pooled, txt@i and img@i"):
        parse(text)


@pytest.mark.parametrize(("kind", "block"), [("cond", 0), ("txt", None), ("img", -1), ("audio", None)])
def test_sites_that_cannot_be(kind, block):
    with pytest.raises(ValueError, match="Sites are"):
        Site(kind, block)
