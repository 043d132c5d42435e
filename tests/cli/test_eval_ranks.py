"""An evaluation under torchrun: ranks share the cases, rank 0 speaks and writes, and the report is that of one."""

import json
from functools import cache
from pathlib import Path

import pytest
import small_evaluation

pytestmark = pytest.mark.slow

LINES = {
    "pictures": [
        "headline: 39 of 39 steps, {} processes",
        "several: 15 of 15 steps, {} processes",
        "fit the baselines: 8 of 8 steps, {} processes",
    ],
    "no pictures": ["text: 20 of 20 steps, {} processes"],
    "rows": [
        "encode 60: 1 of 1 steps, {} processes",
        "edit: 13 of 13 steps, {} processes",
        "fit: 8 of 8 steps, {} processes",
    ],
    "paper": ["draw: 10 of 10 steps, {} processes"],
}


def timeless(found):
    """Return a report without how long things took."""
    if isinstance(found, dict):
        return {name: timeless(one) for name, one in found.items() if "seconds" not in name}
    return found


def report(folder):
    return timeless(json.loads((folder / "results.json").read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """Return what runs a mode in this process, once: its folder."""

    @cache
    def run(mode):
        out = tmp_path_factory.mktemp("alone") / "out"
        assert small_evaluation.run(mode, out) == 0
        return out

    return run


RANKS = {"pictures": 2, "no pictures": 2, "paper": 2, "rows": 3}
"""Mode → ranks that run it. Of three the last has no dictionary of its own to fit: there are two."""


@pytest.fixture(scope="module")
def by_ranks(torchrun, tmp_path_factory):
    """Return what has all modes of so many ranks run, once: the folder of one mode, and what its ranks said."""

    @cache
    def all_of(ranks):
        folder = tmp_path_factory.mktemp("ranks")
        code, _, err = torchrun(
            ranks, small_evaluation.__file__, folder, *(mode for mode, own in RANKS.items() if own == ranks)
        )
        assert code == 0, err
        return folder

    def run(mode):
        folder = all_of(RANKS[mode])
        said = (folder / f"{mode} {rank}.txt" for rank in range(RANKS[mode]))
        return folder / mode, "".join(one.read_text(encoding="utf-8") for one in said)

    return run


@pytest.mark.parametrize("mode", RANKS)
def test_ranks_report_what_one_process_reports(alone, by_ranks, mode):
    folder, said = by_ranks(mode)
    assert report(folder) == report(alone(mode))
    assert said.count("results.json") == 1 and all(line.format(RANKS[mode]) in said for line in LINES[mode])


def pictures(folder: Path):
    return {file.name: file.read_bytes() for file in folder.rglob("pictures/*/*.png")}


def test_ranks_draw_the_pictures_of_one_process(alone, by_ranks):
    made = pictures(by_ranks("pictures")[0])
    assert made == pictures(alone("pictures")) and len(made) > 18
    assert not list(by_ranks("rows")[0].rglob("of-ranks*"))


def test_a_folder_that_is_worked_in_ends_all_ranks(torchrun, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "results.json").mkdir()
    code, out, err = torchrun(2, "-m", "supsae", "eval", "--quick", "--out", tmp_path / "out")
    assert code != 0 and "results.json could not be written" in err and "report.html" not in out
    assert "Rank 1 stops, because rank 0 could not go on" in err or "SIGTERM" in err  # which ends first is torchrun's
