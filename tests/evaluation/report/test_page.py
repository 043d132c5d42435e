"""The page, the table and the shell say what one run's numbers say: every part that was run, and nothing else."""

import copy
import json
import re
from pathlib import Path

import pytest

from supsae.evaluation.intervals import Interval, difference, wilson
from supsae.evaluation.report import blocks, files, numbers, page, plots, sections
from supsae.evaluation.report.methods import ordered
from supsae.evaluation.report.table import table
from supsae.evaluation.results import Example, Results

SCOREBOARD = Path(__file__).resolve().parents[3] / "benchmarks" / "results" / "scoreboard.json"


@pytest.fixture(scope="module")
def published():
    return json.loads(SCOREBOARD.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def html(board):
    return page.page(board.found)


BESIDE = {(-0.04, -0.02): "behind it", (0.02, 0.04): "ahead of it", (-0.01, 0.03): "level with it", (0, 0.02): "level"}


@pytest.mark.parametrize("ends", BESIDE)
def test_words_follow_the_interval(ends):
    assert numbers.beside(Interval(sum(ends) / 2, *ends, 50), "it").startswith(BESIDE[ends])


def test_page_needs_no_other_file(html):
    links = re.findall(r"""(?:src|href)=["']?([^"'> ]{1,12})""", html)
    assert links and all(link.startswith(("data:image/", "#")) for link in links)
    assert not re.search(r"https?://|@import|url\(", html)
    assert "prefers-color-scheme: dark" in html and "width=device-width" in html


def test_every_part_has_a_section_and_every_anchor_a_place(board, html):
    there = set(re.findall("<section id=(\\w+)", html))
    parts = {name for name, (part, _) in page.SECTIONS.items() if part in board.sections}
    assert there == {*parts, "dictionary", "readers", "cost", "meaning"} == set(re.findall("href=#(\\w+)", html))
    assert parts == set(page.SECTIONS) - {"proxies", "rows", "reconstruction"}


def test_what_was_not_run_is_left_out(board):
    some = {name: board.sections[name] for name in ("strength", "text")}
    made = page.page(Results({**board.found.results, "sections": some}, {}, board.found.dictionary))
    found = set(re.findall("<section id=(\\w+)", made))
    assert found == {"strength", "text", "dictionary", "readers", "cost"}


def test_page_says_the_headline(board, html):
    row = board.sections["headline"]["rows"]["SupSAE + lock"]
    share = numbers.percent(row["both"]["estimate"])
    assert f"<h1>{share} of edits change what was asked, and nothing else</h1>" in html


def test_page_escapes_what_it_is_given():
    example = Example(
        "swap hair: <red>", "a person & a hat", {"no edit": plots.Image.new("RGB", (8, 8))}, {"no edit": ""}
    )
    made = blocks.cards([example]) + blocks.table(["<b>"], [["a & b", "<i>"]])
    assert "&lt;red&gt;" in made and "a person &amp; a hat" in made and "<i>" not in made and "<b>" not in made


def test_faults_are_in_words_and_colour(board, html):
    missed = [mark for some in board.found.examples.values() for one in some for mark in one.faults.values()]
    assert html.count("class='fault-missed'") == missed.count("missed") > 0
    assert html.count("class='fault-moved'") == missed.count("moved")


def told(part, section):
    return " ".join(part(section).words)


def test_interference_names_the_worst():
    matrix = {"hair": {"hat": [1, 10], "eyes": [0, 10]}, "hat": {"hair": [3, 10], "eyes": [0, 10]}}
    names = ("prompt rewrite", "SupSAE", "prompt rewrite + lock", "SupSAE + lock")
    said = told(sections.interference, {"interference": dict.fromkeys(names, matrix)})
    # Hair changed in 3 of 10 edits of the hat, the hat in 1 of 10 edits of hair, eyes never: 2 of 4 fields are clean.
    assert "disturbs hair most" in said and "editing hat changed hair in 3 of 10" in said and "2 of 4 fields" in said


def test_strength_says_where_it_jumps(published):
    section = published["sections"]["strength"] | {"positions": [0, 0.5, 1], "change": [0.0, 0.25, 1.0]}
    section["success"] = [wilson(n, 100).json() for n in (0, 60, 100)]
    said = told(sections.strength, section)
    assert "between 0.5 and 1: 75% of the change" in said and "grows with every step" in said
    assert "From position 0.5 on" in said
    assert "shrinks between 0.5 and 1." in told(sections.strength, section | {"change": [0.0, 1.5, 1.0]})


def test_splits_name_where_we_are_short(published):
    section = copy.deepcopy(published["sections"]["splits"])
    said = told(sections.splits, section)
    assert "Short of the rewrite in “paraphrased itself”: success is behind it by" in said
    for rows in section.values():
        rows["SupSAE"]["minus_rewrite"]["success"] = difference(wilson(9, 10), wilson(9, 10)).json()
    assert told(sections.splits, section).startswith("In no split")


def test_files_are_written_and_read_back(board):
    assert list(board.files) == ["results", "report", "headline", "examples", "cosines"]
    assert all(path.stat().st_size for path in board.files.values())
    kept = json.loads(board.files["results"].read_text(encoding="utf-8"), parse_constant=pytest.fail)
    assert kept == json.loads(json.dumps(board.found.results))


@pytest.mark.parametrize(
    ("value", "text"), [({"a": 1, "b": [1, 2]}, '{\n "a": 1,\n "b": [1, 2]\n}'), ([[1], {}], "[\n [1],\n {}\n]")]
)
def test_innermost_values_share_a_line(value, text):
    assert files.compact(value) == text


def test_the_published_table_is_that_of_the_published_numbers(published):
    lines, rows = table(published).splitlines(), published["sections"]["headline"]["rows"]
    assert ordered(rows)[:3] == ["SupSAE", "prompt rewrite", "SupSAE, 50 prompts"] and ordered(rows)[-1] == "no edit"
    assert len(lines) == 2 + len(ordered(rows)) and len({line.count("|") for line in lines}) == 1
    measured = (SCOREBOARD.parents[2] / "docs" / "measured.md").read_text(encoding="utf-8")
    assert [line for line in lines if line not in measured] == []
    assert "ahead of the rewrite" in told(sections.headline, published["sections"]["headline"])
    assert files.summary(published).splitlines()[0].startswith("unseen pairs, 1536 swaps")
