"""The report shows every case and says the numbers that the readings come to, in files that need no other."""

import base64
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from supsae.drawing import sheet
from supsae.evaluation import cases, outcomes, trials
from supsae.evaluation.report import demo_page, demo_report
from supsae.evaluation.trials import METHODS, Results, Trial
from supsae.portraits import captions
from supsae.supsae_core.dictionary.model import Dictionary
from supsae.supsae_core.editing.edits import Add, Remove, Swap
from supsae.supsae_core.encoders.families import FAMILIES

TABLE = captions.table()
GREEN = np.full((128, 128, 3), (0, 200, 0), np.uint8)


def trial(case, edited, rewrite):
    """Make a trial from what the readings of the two pictures change; the picture before shows the first values."""
    before = {name: TABLE.concepts[members[0]].name for name, members in TABLE.categories.items()}
    before |= {case.category: case.old} if case.old else {}
    read = {"before": before, "edited": before | edited, "rewrite": before | rewrite}
    (first,), (second,) = (
        outcomes.judge_all([case], [before], [read[method]], [read["rewrite"]]) for method in METHODS[1:]
    )
    return Trial(case, "", dict.fromkeys(METHODS, GREEN), read, {"edited": first, "rewrite": second})


def drawn(edit, count):
    return cases.draw_cases(edit, TABLE, count, np.random.default_rng(0), wording=captions.WORDING)


@pytest.fixture(scope="module")
def results():
    """Four swaps, of which one edit fails and one changes another attribute too; an addition; two removals."""
    swaps, (added,), removals = drawn(Swap, 4), drawn(Add, 1), drawn(Remove, 2)
    asked = [{case.category: case.wanted} for case in swaps]
    other = next(name for name in TABLE.categories if name != swaps[1].category)
    found = [
        trial(swaps[0], {}, asked[0]),
        trial(swaps[1], asked[1] | {other: "unreadable"}, asked[1]),
        trial(swaps[2], asked[2], asked[2]),
        trial(swaps[3], asked[3], asked[3]),
        trial(added, {added.category: added.wanted}, {added.category: added.wanted}),
        trial(removals[0], {removals[0].category: "gone"}, {removals[0].category: "gone"}),
        trial(removals[1], {}, {removals[1].category: "gone"}),  # a removed value that is left in
    ]
    names = {"page": "index.html", "sheet": "contact_sheet.png", "dictionary": "a<b.safetensors", "numbers": "n.json"}
    learnt = Dictionary(TABLE, FAMILIES["portraits"], {}, (True,) * 8, ((1.0, 1.0),), {"held_out": [[0, 4]]}, {})
    settings = {"prompts": 300, "cases": 7, "held_out": 0.1, "seed": 0, "steps": 16, "cfg": 3.0}
    seconds = {"write prompts and encode them": 2.0, "fit the dictionary": 3.0, "draw pictures": 60.0}
    return Results(settings, learnt, found, 0.5, 7, seconds, {key: Path(name) for key, name in names.items()})


@pytest.fixture(scope="module")
def html(results):
    return demo_page.page(results, Image.new("RGB", (40, 40)))


def test_groups_count_what_was_planted(results):
    swap, add, remove = trials.groups(results.trials)
    assert [swap.action, add.action, remove.action] == ["swap", "add", "remove"]
    # Swaps: 3 of 4 succeed, 3 of 4 keep all (another one fails there), 2 of 4 do both; the rewrite does all.
    edited, rewrite = swap.scores["edited"], swap.scores["rewrite"]
    assert [one.estimate for one in (edited.success, edited.kept, edited.both)] == [0.75, 0.75, 0.5]
    assert rewrite.both.estimate == 1
    assert (swap.success.estimate, swap.both.estimate) == (-0.25, -0.5)
    # One of two removals leaves the value in; the deleted words leave it in neither, the prompt as it was in both.
    assert remove.still is not None
    assert {method: one.estimate for method, one in remove.still.items()} == {"before": 1, "edited": 0.5, "rewrite": 0}


def test_page_needs_no_other_file(html):
    links = re.findall(r"""(?:src|href)=["']?([^"'> ]{1,12})""", html)
    assert links and all(link.startswith("data:image/") for link in links)
    assert not re.search(r"https?://|@import|url\(", html)
    assert "prefers-color-scheme: dark" in html


def test_page_shows_every_case(results, html):
    # Three pictures a case, two for each of the first six at the top, and the cosine matrix.
    pictures = re.findall(r"data:image/\w+;base64,([\w+/=]+)", html)
    assert len(pictures) == 3 * 7 + 2 * 6 + 1
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(pictures[0]))).convert("RGB")).astype(int)
    assert np.abs(shown - GREEN).max() <= 3  # JPEG rounds a flat green by a level or two
    for one in results.trials:
        for word in one.case.prompt.words:
            assert demo_page.escape(word) in html
    assert html.count("<article>") == 7


def test_page_says_the_numbers(html):
    # 3 of 4: Wilson's centre is (0.75 + z²/8) / (1 + z²/4) = 0.6275, its half-width 0.3269.
    assert "75.0%" in html and "30.1% – 95.4%" in html
    assert "-25.0" not in html and "−25.0" in html  # the paired difference, with a minus sign
    assert html.count("class=bad") == 2 + 1  # a failed swap and a failed removal, and the former once more at the top
    assert "<b>50%</b>" in html  # located
    assert "encoded and fitted in 5\u00a0s" in html


def test_page_escapes_what_it_is_given(html):
    assert "a&lt;b.safetensors" in html and "a<b.safetensors" not in html


def test_marked_words_are_the_old_value(results, html):
    marked = re.findall(r"<mark>(.*?)</mark>", html)
    old = [one.case.prompt for one in results.trials if one.case.old]
    assert len(marked) == len(old) == 6
    assert all(any(phrase.text in mark for phrase in TABLE.phrases) for mark in marked)


def test_summary_says_where_to_look(results):
    said = demo_report.summary(results)
    assert "swap, 4 cases" in said and "75.0% (30.1% … 95.4%)" in said and "index.html" in said


def test_numbers_are_json_and_complete(results):
    found = json.loads(json.dumps(trials.numbers(results)))
    assert [len(found["cases"]), len(found["groups"])] == [7, 3]
    assert found["groups"][0]["edited"]["success"] == {
        "estimate": 0.75, "low": pytest.approx(0.3006, abs=1e-4), "high": pytest.approx(0.9544, abs=1e-4), "count": 4,
    }  # fmt: skip
    assert found["cases"][0]["success"] == {"edited": False, "rewrite": True}
    assert len(found["cases"][1]["changed_besides"]["edited"]) == 1


# --- sheets ----------------------------------------------------------------------------------------------------------


def test_contact_sheet_frames_what_failed(results):
    made = demo_report.contact_sheet(results)
    # Seven columns of 192 px with gaps of 14 behind 36 of margin and 132 of labels, and 36 of margin.
    assert made.width == 36 + 132 + 7 * 206 - 14 + 36
    colours = {colour for _, colour in made.getcolors(made.width * made.height)}
    assert set(sheet.MARKS.values()) <= colours
    kept = demo_report.contact_sheet(results._replace(trials=results.trials[2:5]))
    assert not set(sheet.MARKS.values()) & {colour for _, colour in kept.getcolors(kept.width * kept.height)}


def test_picture_stands_where_the_sheet_says(results):
    made = np.asarray(demo_report.contact_sheet(results)).astype(int)
    # Middle of the first picture of the first column; 84 px of title and 62 of the column's heading above it.
    assert np.abs(made[84 + 62 + 96, 36 + 132 + 96] - (0, 200, 0)).max() <= 1


def test_bands_stack(results):
    column = sheet.Column("hat", "none to crown", (GREEN,), ("",))
    one, two = (sheet.sheet([column] * n, ["before"], "title", "note", across=4) for n in (4, 5))
    # One more band: its heading of 62, a row of 192 + 14, and 20 below.
    assert (two.width, two.height - one.height) == (one.width, 62 + 206 + 20)


def test_side_by_side_doubles_and_wraps():
    made = sheet.side_by_side([GREEN, GREEN], ["before", "after: " + "swap hair: red " * 6])
    assert made.width == 14 + 2 * (256 + 14)
    assert made.height > 256 + 2 * 14 + 2 * 24
    assert np.asarray(made)[14 + 128, 14 + 128].tolist() == [0, 200, 0]


def test_long_names_are_cut_to_the_column():
    face = sheet.font(20)
    short = sheet._shortened("an endless name of a value that nobody can read", face, 192)
    assert short.endswith("…") and face.getlength(short) <= 192
