"""An evaluation under torchrun: ranks share the cases, rank 0 speaks and writes, and the report is that of one."""

import json
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

SMALL = """
import sys
from dataclasses import replace
from functools import partial
from supsae.cli import reproducing
from supsae.cli.parser import main
from supsae.evaluation.baselines import sparse_direction
from supsae.evaluation.baselines.paper import PaperConfig
from supsae.evaluation.baselines.topk import TopKConfig
from supsae.evaluation.pictures import gallery, parts, run
from supsae.evaluation.pictures.parts import Size
from supsae.evaluation.reproduction import models as fits
from supsae.evaluation.text import asked, bench, reconstruction, rivals
from supsae.training.capture import CaptureConfig
from supsae.training.fit import fit_dictionary
from supsae.training.solvers.exact import ExactConfig
one = ExactConfig(common_ridges=(10.0,), shared_ridges=(3.0,), own_ridges=(30.0,))
bench.ENCODINGS["quick"] = (40, 60)
bench.CaptureConfig = partial(CaptureConfig, calibration=6)
bench.fit_dictionary = partial(fit_dictionary, config=one)
reconstruction.PaperConfig = partial(PaperConfig, epochs=3)
reconstruction.topk.TopKConfig = partial(TopKConfig, steps=5)
rivals.BASELINES = {"sparse direction": partial(sparse_direction.fit, config=TopKConfig(steps=5))}
asked.SIZES["quick"] = asked.Counts(swaps=2, others=1, several=1)
reconstruction.PROMPTS["quick"] = 80
parts.SIZES["quick"] = Size(headline=3, curve=2, several=1, text=20)
gallery.BATCH, run.PROBE = 2, 1
reproducing.PUBLISHED = replace(reproducing.PUBLISHED, epochs=3)
fits.fit_dictionary = partial(fit_dictionary, config=one)
sys.exit(main(sys.argv[1:]))
"""
"""Runs of few cases; whom they are held against is trained in few steps."""
MODES = {
    "pictures": ("eval", "--quick", "--parts", "text", "headline", "strength", "several"),
    "no pictures": ("eval", "--quick", "--no-pictures"),
    "rows": ("eval", "--quick", "--text", "--mention", "0.75", "--seed", "1"),
    "paper": ("reproduce", "--prompts", "40", "--calibration", "6", "--swaps", "2"),
}
LINES = {
    "pictures": ["headline: 18 of 18 steps, {} processes", "several: 15 of 15 steps, {} processes"],
    "no pictures": ["text: 20 of 20 steps, {} processes"],
    "rows": ["encode 60: 1 of 1 steps, {} processes", "edit: 13 of 13 steps, {} processes"],
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
def evaluated(torchrun, tmp_path_factory):
    """Return what runs a mode with so many ranks, of as many threads each: its folder, exit code and what is said."""
    made = {}

    def run(mode, ranks):
        if (mode, ranks) not in made:
            folder = tmp_path_factory.mktemp("ranks")
            (folder / "small.py").write_text(SMALL)
            line = [folder / "small.py", *MODES[mode], "--out", folder / "out"]
            made[mode, ranks] = (folder / "out", *torchrun(ranks, *line))
        return made[mode, ranks]

    return run


@pytest.mark.parametrize(("mode", "ranks"), [*((mode, 2) for mode in MODES), ("rows", 3)])
def test_ranks_report_what_one_process_reports(evaluated, mode, ranks):
    alone, code, _, err = evaluated(mode, 1)
    assert code == 0, err
    folder, code, out, err = evaluated(mode, ranks)
    assert code == 0, err
    assert report(folder) == report(alone)
    assert out.count("results.json") == 1 and all(line.format(ranks) in out for line in LINES[mode])


def pictures(folder: Path):
    return {file.name: file.read_bytes() for file in folder.rglob("pictures/*/*.png")}


def test_ranks_draw_the_pictures_of_one_process(evaluated):
    made = pictures(evaluated("pictures", 2)[0])
    assert made == pictures(evaluated("pictures", 1)[0]) and len(made) > 18
    assert not list(evaluated("rows", 2)[0].rglob("of-ranks*"))


def test_a_folder_that_is_worked_in_ends_all_ranks(torchrun, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "results.json").mkdir()
    code, out, err = torchrun(2, "-m", "supsae", "eval", "--quick", "--out", tmp_path / "out")
    assert code != 0 and "results.json could not be written" in err and "report.html" not in out
    assert "Rank 1 stops, because rank 0 could not go on" in err or "SIGTERM" in err  # which ends first is torchrun's
