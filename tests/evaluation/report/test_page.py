"""The scoreboard's report says what the numbers say: shares, verdicts, every part that was run, and nothing else."""

import copy
import json
import math
import re
from collections import namedtuple

import numpy as np
import pytest

from supsae.evaluation.outcomes import Interval, difference, failure_ratio, variation_interval, wilson
from supsae.evaluation.pictures.bench import Example
from supsae.evaluation.pictures.parts import Section
from supsae.evaluation.report import charts, dots, files, goals, page, page_parts, plots, rows, words
from supsae.evaluation.report.goals import MET, MISSED, OPEN, Goal
from supsae.evaluation.report.table import table

NONE, REWRITE, OURS, PAPER = "no edit", "prompt rewrite", "SupSAE", "paper"
FOUND = namedtuple("FOUND", "results sections dictionary")


def told(successes, count=100):
    return wilson(successes, count)._asdict()


def apart(one, other, count=100):
    return difference(wilson(one, count), wilson(other, count))._asdict()


def three(success, kept, both):
    return {"success": told(success), "kept": told(kept), "both": told(both)}


def row(method, success, kept, both, *, lock=False, strength=1.0):
    """Make a row; it is held against a rewrite that succeeds in 90 of 100 and does both in 50, with the lock in 80."""
    held = {
        name: {
            "success": apart(success, 90),
            "kept": apart(kept, other),
            "both": apart(both, other),
            "failures": dict(
                zip(("estimate", "low", "high"), [(100 - both) / (100 - other)] * 3, strict=True), count=100
            ),
        }
        for name, other in (("minus_rewrite", 50), ("minus_rewrite_lock", 80))
    }
    return {
        "method": method, "lock": lock, "strength": strength, "count": 100,
        **three(success, kept, both), "artifacts": told(2), "attribute_kept": told(95),
        "by_category": {"hair": three(success, kept, both), "hat <b>": three(success, kept, both)},
        "second_reader": three(success, kept, both), **({"let_through": 0.25} if lock else {}), **held,
    }  # fmt: skip


def all_rows():
    made = [
        row(NONE, 0, 95, 0), row(REWRITE, 90, 50, 50), row(OURS, 90, 60, 60), row(REWRITE, 90, 85, 80, lock=True),
        row(OURS, 90, 90, 85, lock=True), row(PAPER, 5, 70, 4), row(PAPER, 5, 80, 4, lock=True),
        row("SupSAE, 50 prompts", 85, 60, 55),
    ]  # fmt: skip
    return {f"{one['method']}{rows.LOCK if one['lock'] else ''}": one for one in made}


@pytest.fixture
def results():
    matrix = {"hair": {"hat": [1, 10], "eyes": [0, 10]}, "hat": {"hair": [3, 10], "eyes": [0, 10]}}
    split = {one["method"]: one for one in (row(REWRITE, 90, 50, 50), row(OURS, 20, 50, 10), row(PAPER, 5, 50, 5))}
    several = {str(n): {REWRITE: row(REWRITE, 90, 50, 50), OURS: row(OURS, 90 - n, 50, 50)} for n in (1, 2, 3, 4, 5)}
    text = {"swaps": 5, "located": told(100), "named": told(100)}
    parts = {"clip": {"fvu_slot": 0.25, "fvu_token": None, "undone": 0.125}}
    sections = {
        "headline": {
            "split": "unseen pairs", "rows": all_rows(),
            "interference": dict.fromkeys((REWRITE, OURS, REWRITE + rows.LOCK, OURS + rows.LOCK), matrix),
        },
        "removal": {
            "rows": {name: row(name, 50, 50, 50) for name in (NONE, REWRITE, OURS)},
            "still_shown": {"SupSAE": told(30), "deleted": told(10)},
            "still_shown_difference": apart(30, 10),
            "total_variation": {"hair": 0.25, "hat": 0.5, "mean": {**told(30), "low": 0.2}},
        },
        "strength": {
            "count": 64, "positions": [0.0, 0.5, 1.0], "change": [0.0, 0.25, 1.0], "monotone": True,
            "success": [told(0), told(60), told(100)], "largest_step": 0.75, "untouched_at_0": True,
        },
        "several": several,
        "splits": {"seen tuples": split, "shuffled": copy.deepcopy(split)},
        "best_strength": {
            "tried": {name: {"1": three(9, 9, 9), "2": three(8, 8, 8)} for name in (OURS, PAPER)},
            "best": {OURS: 1.0, PAPER: 2.0},
            "rows": {OURS: row(OURS, 90, 60, 60), "paper at 2": row(PAPER, 30, 30, 20, strength=2.0)},
        },
        "adapters": {
            "concepts": ["hair: red"],
            "rows": {name: row(name, 9, 9, 9) for name in (REWRITE, OURS, "adapter")},
        },
        "text": {"splits": {"unseen": text | {"parts": parts}}, "concepts": {"hair: red": {"poor": "Too <few>."}}},
    }  # fmt: skip
    return {
        "schema_version": 1, "kind": "portraits", "tool": "supsae 0", "sections": sections, "pictures": 7,
        "settings": {"size": "quick", "seed": 3}, "seconds": {"headline": 2.0},
        "dictionary": {"content": "abc", "prompts": 9, "concepts": 4, "held_out": 1},
        "readers": {"agree": told(100), "only_first_reads": told(1), "only_second_reads": told(2)},
    }  # fmt: skip


def example(ways, faults):
    pictures = {way: np.full((128, 128, 3), 40 * index, np.uint8) for index, way in enumerate(ways)}
    return Example("swap hair: <red>", "a person & a hat", pictures, dict(zip(ways, faults, strict=True)))


@pytest.fixture
def found(results):
    ways = [NONE, REWRITE + rows.LOCK, OURS + rows.LOCK]
    examples = [example(ways, ["", "moved", "missed"])]
    return FOUND(results, {"headline": Section(results["sections"]["headline"], examples)}, None)


@pytest.fixture
def html(found):
    return page.report(found)


# --- numbers read back -----------------------------------------------------------------------------------------------


def test_what_json_leaves_out_has_no_end():
    value = rows.interval({"estimate": None, "low": 0.5, "high": None, "count": 3})
    assert math.isnan(value.estimate) and (value.low, value.high, value.count) == (0.5, math.inf, 3)


def test_order_is_ours_rewrite_few_rivals_none():
    assert rows.ordered(all_rows()) == [OURS, REWRITE, "SupSAE, 50 prompts", PAPER, NONE]


def test_lead_is_paired_where_it_was_measured():
    found = all_rows()
    # 85 of 100 against 4 of 100: 81 points, by intervals of their own
    unpaired = rows.lead(found, found[PAPER + rows.LOCK], "both")
    assert unpaired == difference(wilson(85, 100), wilson(4, 100))
    assert unpaired.estimate == pytest.approx(0.81)
    paired = {"estimate": -0.8, "low": -0.9, "high": -0.7, "count": 5}
    assert rows.lead(found, found[PAPER] | {"minus_ours": {"both": paired}}, "both") == (0.8, 0.7, 0.9, 5)


def test_difference_without_pairs_is_wider():
    # Wilson of 10 of 10 reaches z² / (10 + z²) down and 0 up, so both sides are that reach: √(a² + 0²).
    reach = 1.959964**2 / (10 + 1.959964**2)
    assert difference(wilson(10, 10), wilson(10, 10))[:3] == pytest.approx((0, -reach, reach))


def test_variation_interval_takes_chance_off():
    # The same values in both lists: nothing to exchange, so nothing by chance and nothing measured.
    assert variation_interval([(["a", "b"], ["a", "b"])])[:3] == (0, 0, 0)
    # All of 100 pairs go from a to b: 1 measured; exchanged at random it is |50 − 50| by binomial chance, under 0.3.
    far = variation_interval([(["a"] * 100, ["b"] * 100)])
    assert far.estimate == 1 and 0.7 < far.low < 0.95 and far.high == 1 and far.count == 100
    # Half of them go one way and half the other: 0 measured, and chance alone reaches well above.
    level = variation_interval([(["a"] * 50 + ["b"] * 50, ["b"] * 50 + ["a"] * 50)])
    assert level.estimate == 0 and level.low == 0 and 0 < level.high < 0.2


# --- goals -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("judge", "low", "high", "limit", "verdict"),
    [
        (goals.at_least, 0.99, 1.0, 0.99, MET),
        (goals.at_least, 0.98, 0.99, 0.99, OPEN),
        (goals.at_least, 0.98, 0.989, 0.99, MISSED),
        (goals.at_most, 0.7, 0.75, 0.75, MET),
        (goals.at_most, 0.75, 0.8, 0.75, OPEN),
        (goals.at_most, 0.751, 0.8, 0.75, MISSED),
        (goals.within, -0.02, 0.02, 0.02, MET),
        (goals.within, -0.03, 0.0, 0.02, OPEN),
        (goals.within, 0.02, 0.1, 0.02, OPEN),
        (goals.within, 0.021, 0.1, 0.02, MISSED),
        (goals.within, -0.1, -0.021, 0.02, MISSED),
    ],
)
def test_interval_decides_at_its_edges(judge, low, high, limit, verdict):
    assert judge(Interval((low + high) / 2, low, high, 9), limit) == verdict


def verdicts(results):
    return {goal.asks: goal.verdict for goal in goals.goals(results)}


def test_goals_of_what_was_run(results):
    found = verdicts(results)
    # 15 failures of the edit with the lock for 50 of the rewrite without it: 0.3 on the spot, below both limits.
    assert found["failures with the lock for every one of the rewrite’s without it: at most 0.75"] == MET
    assert found["failures with the lock for every one of the rewrite’s without it: at most 0.5, the stretch"] == MET
    # 90 of 100 against 90 of 100 leaves about 8 points either way: half a point cannot be told.
    assert found["success within 0.5 point of the prompt rewrite, or above"] == OPEN
    assert found["ahead of every rival, under the same lock"] == MET
    # 30 of 100 against 10 of 100 is at least 9 points apart; a step of 0.75 is above a third.
    assert found["a removed value shown as often as without its words, within 2 points"] == MISSED
    assert found["what is drawn instead: total variation at most 5 points"] == MISSED
    assert found["no quarter step above a third of the change at 1"] == MISSED  # of 64 prompts; 8 would not tell
    # 20 of 100 in seen tuples is far below 90 of 100 in unseen pairs: no more than one point above it.
    assert found["success in seen sets at most 1 point above unseen pairs"] == MET
    # 9 of 100 against 9 of 100: the adapter is level.
    assert found["ahead of the low-rank adapter on its own concepts"] == OPEN
    # 100 of 100 leaves 96.3 % possible.
    assert found["the two readers agree, at least 99.5%"] == OPEN


def test_a_rival_ahead_is_a_missed_goal(results):
    results["sections"]["best_strength"]["rows"]["paper at 2"] = row(PAPER, 100, 100, 100, strength=2.0)
    assert verdicts(results)["ahead of every rival, each at its own best strength"] == MISSED


def test_goals_of_parts_that_were_not_run_are_left_out(results):
    results["sections"] = {"strength": results["sections"]["strength"]}
    assert {goal.part for goal in goals.goals(results)} == {"strength", "readers"}


def test_a_rewrite_that_never_fails_leaves_the_ratio_open(results):
    never = {"estimate": None, "low": 0.0, "high": None, "count": 100}
    results["sections"]["headline"]["rows"][OURS + rows.LOCK]["minus_rewrite"]["failures"] = never
    asked = [goal for goal in goals.goals(results) if "at most 0.75" in goal.asks]
    assert asked == [Goal("headline", asked[0].asks, "the rewrite hardly ever fails", OPEN)]


def test_failure_ratio_of_json_reads_back():
    ratio = failure_ratio([False, True], [True, True])
    assert rows.interval(json.loads(files.compact(ratio._asdict()))).high == math.inf


# --- words -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (-0.04, -0.02, "behind it by 3.0 points (2.0 to 4.0)"),
        (0.02, 0.04, "ahead of it by 3.0 points (2.0 to 4.0)"),
        (-0.01, 0.03, "level with it for all that 50 cases can tell (+1.0 points, −1.0 to +3.0)"),
        (0.0, 0.02, "level with it for all that 50 cases can tell (+1.0 points, +0.0 to +2.0)"),
    ],
)
def test_words_follow_the_interval(low, high, said):
    assert words.beside(Interval((low + high) / 2, low, high, 50), "it") == said


def test_interference_names_the_worst(results):
    said = " ".join(words.of_interference(results["sections"]["headline"]["interference"]))
    # Hair changed in 3 of 10 edits of the hat, the hat in 1 of 10 edits of hair, eyes never: 2 of 4 fields are clean.
    assert "disturbs hair most" in said and "editing hat changed hair in 3 of 10" in said and "2 of 4 fields" in said


def test_strength_says_where_it_jumps(results):
    said = " ".join(words.of_strength(results["sections"]["strength"]))
    assert "between 0.5 and 1: 75% of the change" in said and "grows with every step" in said
    assert "From position 0.5 on" in said
    back = results["sections"]["strength"] | {"change": [0.0, 1.5, 1.0]}
    assert "shrinks between 0.5 and 1." in " ".join(words.of_strength(back))


def test_splits_name_where_we_are_short(results):
    said = list(words.of_splits(results["sections"]["splits"]))
    assert len(said) == 2 and said[0].startswith("Short of the rewrite in “seen tuples”: success is behind it by 70.0")


# --- page ------------------------------------------------------------------------------------------------------------


def test_page_needs_no_other_file(html):
    links = re.findall(r"""(?:src|href)=["']?([^"'> ]{1,12})""", html)
    assert links and all(link.startswith(("data:image/", "#")) for link in links)
    assert not re.search(r"https?://|@import|url\(", html)
    assert "prefers-color-scheme: dark" in html and "width=device-width" in html


def test_page_says_the_headline(html):
    assert "<h1>85% of edits change what was asked, and nothing else</h1>" in html
    # 85 of 100: Wilson 76.7 to 90.7
    assert "85% (76.7–90.7)" in html and "pairs of concepts that its dictionary never saw together" in html


@pytest.mark.parametrize("name", page.SECTIONS)
def test_section_stands_if_its_part_was_run(found, html, name):
    part, _ = page.SECTIONS[name]
    assert f"<section id={name}>" in html and f"href=#{name}>" in html
    del found.results["sections"][part]
    without = page.report(found._replace(sections={}))
    assert f"<section id={name}>" not in without and f"href=#{name}>" not in without


def test_page_of_no_part_still_tells_of_the_readers(found):
    found.results["sections"].clear()
    made = page.report(found._replace(sections={}))
    assert "<h1>The scoreboard</h1>" in made and "<section id=readers>" in made and "<section id=cost>" in made


def test_page_escapes_what_it_is_given(html):
    assert "swap hair: &lt;red&gt;" in html and "<red>" not in html
    assert "a person &amp; a hat" in html and "hat &lt;b&gt;" in html and "<few>" not in html


def test_faults_are_in_words_and_colour(html):
    # The one example: moved under the rewrite, missed under the edit, each in a card; the latter at the top too.
    assert html.count("<span class=bad>not read</span>") == 2
    assert html.count("<span class=moved>something else changed</span>") == 1
    assert html.count("class='fault-missed'") == html.count("class='fault-moved'") == 1


def test_every_anchor_has_its_section(html):
    assert set(re.findall("href=#(\\w+)", html)) == set(re.findall("<section id=(\\w+)", html))


def test_heat_shows_shares_and_their_counts():
    made = charts.heat("title", {"hair": {"hat": [1, 10]}, "hat": {"hair": [5, 10]}}, 0.5)
    assert "--share:0.20' title='1 of 10'>10<" in made and "--share:1.00' title='5 of 10'>50<" in made


def test_curve_stands_where_its_values_are():
    made = charts.curve("title", [0, 1], [(charts.Line("a", (0.0, 1.0), ((0.0, 0.5), (0.5, 1.0))), "edited")], "x")
    # From the left edge at the bottom to the right edge at the top, inside margins of 44 and 14, and 16 and 44.
    bottom, right = charts.HEIGHT - 44, charts.WIDTH - 14
    assert f"class=line d='M44.0 {bottom:.1f}L{right:.1f} 16.0'" in made
    assert made.count("<circle") == 2 and made.count("class=band") == 1


def test_bar_shows_its_interval():
    made = page_parts.axis(Interval(0.5, 0.25, 0.75, 9), "edited")
    assert "left:25.00%;width:50.00%" in made and "left:50.00%" in made


# --- files -----------------------------------------------------------------------------------------------------------


def test_files_are_written_and_read_back(found, tmp_path):
    found.results["sections"]["headline"]["rows"][OURS]["minus_rewrite"]["failures"]["high"] = math.inf
    made = files.write(found, tmp_path / "new")
    assert list(made) == ["results", "report", "headline", "interference", "strength", "several", "examples"]
    assert all(path.stat().st_size for path in made.values())
    kept = json.loads(made["results"].read_text(encoding="utf-8"), parse_constant=pytest.fail)
    assert kept == files.finite(json.loads(json.dumps(found.results)))
    assert kept["sections"]["headline"]["rows"][OURS]["minus_rewrite"]["failures"]["high"] is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": 1, "b": [1, 2]}, '{\n "a": 1,\n "b": [1, 2]\n}'),
        ([[1], {}], "[\n [1],\n {}\n]"),
        ({"a": math.nan, "é": True}, '{"a": null, "é": true}'),
    ],
)
def test_innermost_values_share_a_line(value, text):
    assert files.compact(value) == text


def test_summary_is_short_and_says_the_headline(found):
    lines = files.summary(found).splitlines()
    assert len(lines) <= 15 and lines[0].startswith("unseen pairs, 100 swaps")
    assert any(line.split()[:5] == ["SupSAE", "with", "the", "lock", "90%"] for line in lines)
    assert "85% (77-91)" in files.summary(found) and "  missed: " in files.summary(found)


def test_table_has_a_line_a_method(results):
    lines = table(results).splitlines()
    assert len(lines) == 2 + 5 and len({line.count("|") for line in lines}) == 1
    assert lines[2].startswith("| **SupSAE** | 90.0 % (82.6 … 94.5) | 60.0 % | 60.0 % | 90.0 % | 90.0 % | 85.0 %")
    assert lines[-1].endswith("| 95.0 % | 0.0 % |  |  |  |")


# --- plots -----------------------------------------------------------------------------------------------------------


def test_plots_are_of_the_parts_that_were_run(found):
    assert set(plots.plots(found)) == {*plots.PLOTS, "examples"}
    found.results["sections"].pop("headline")
    assert set(plots.plots(found._replace(sections={}))) == {"strength", "several"}


def test_dots_stand_at_their_shares():
    value = {"both": Interval(0.25, 0.2, 0.3, 9)}
    made = dots.dots([dots.Dots("us", (200, 0, 0), value, {})], {"both": "both"}, title="", note="", rings="", discs="")
    pixels = np.asarray(made).astype(int)
    ring = (np.abs(pixels - (200, 0, 0)).max(-1) <= 8).nonzero()
    # A quarter of the first panel's width, in the middle of the only line.
    assert ring[1].mean() == pytest.approx(dots.MARGIN + dots.NAMES + dots.BETWEEN + dots.PANEL / 4, abs=1)
    assert ring[0].mean() == pytest.approx(226 + 34 + dots.LINE / 2, abs=1)
