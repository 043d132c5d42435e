"""A check from encodings to files, and what becomes of numbers that are made up."""

import json
from functools import partial

import numpy as np
import pytest
import torch

from supsae.evaluation.check import judged, run, trial
from supsae.evaluation.check.files import check_panel, write_check
from supsae.evaluation.check.found import CheckLine, failed, file_name, without_folders
from supsae.evaluation.check.run import About, Sights, run_check
from supsae.evaluation.check.trial import TrialConfig, small_table
from supsae.evaluation.intervals import Interval
from supsae.evaluation.results import Hooks
from supsae.evaluation.text.asked import Counts
from supsae.evaluation.text.rivals import OURS, REPLACE, TOLD
from supsae.hosts.embedded import PortraitsText
from supsae.hosts.sights import HeardBlocks, Trio
from supsae.portraits import captions
from supsae.training.fit import fit_dictionary
from supsae.training.solvers.exact import ExactConfig

TABLE = captions.table()
ABOUT = About("shell", ["a.safetensors"])
TEXT_ALONE = Sights()
QUICK = ExactConfig(common_ridges=(10.0,), shared_ridges=(3.0,), own_ridges=(30.0,))
"""One candidate in place of the search for the best ridges."""


def picture(value):
    return np.full((8, 8, 3), value, np.uint8)


# --- lines and verdicts --------------------------------------------------------------------------------------------


def swaps(error, low, high):
    def figures(value):
        return {"error": Interval(value, low, high, 40).json(), "kinds": {}, "refused": 0}

    return judged._split("swaps", {OURS: figures(error), TOLD: figures(0.3), REPLACE: figures(0.9)})


SOUND = [CheckLine(name, True, "") for name in ("family", "rows", "words", "learning", "reading")]
VERDICTS = {
    "good": (swaps(0.49, 0.4, 0.6), "good", "Edits make 51% of a rewrite's change on this model: sliders should work."),
    "fair": (swaps(0.7, 0.6, 0.8), "fair", "make 30% of a rewrite's change on this model: sliders will do less"),
    "weak": (swaps(0.8, 0.7, 0.9), "poor", "make 20% of a rewrite's change on this model: sliders will be weak."),
    "nothing": (swaps(0.96, 0.9, 0.99), "poor", "hardly nearer to a rewritten prompt than doing nothing"),
    "by chance": (swaps(0.7, 0.4, 1.01), "fair", "40 swaps are too few to be sure: they make 30% of"),
}


@pytest.mark.parametrize("name", VERDICTS)
def test_a_verdict_says_what_swaps_came_to(name):
    line, level, told = VERDICTS[name]
    first, second, third = judged.verdicts([*SOUND, line])
    assert first[0] == level and told in first[1]
    assert second[1] == "No picture was looked at, and only pictures can tell."
    assert third[1] == "Where verdicts part (40%, 25%, 5% of a rewrite's change) was set on small models."


@pytest.mark.parametrize("name", ["family", "rows", "words", "learning", "edits"])
def test_nothing_works_without_what_is_vital(name):
    lines = [*(one for one in SOUND if one.what != name), CheckLine(name, False, "because"), swaps(0.1, 0.1, 0.1)]
    assert judged.verdicts(lines) == [
        ("poor", "SupSAE does not work with this model as it is loaded here: the first cross says why.")
    ]


def test_what_else_fails_is_said_beside_the_verdict():
    lines = [*SOUND[:4], CheckLine("reading", False, ""), swaps(0.5, 0.4, 0.6), CheckLine("pooled vector", False, "")]
    told = [sentence for _, sentence in judged.verdicts([*lines, CheckLine("pictures", False, "")])]
    assert [one.split()[0] for one in told] == ["Edits", "Words", "The", "The", "Where"]
    assert "edits would leave 0.30" in told[1]


def test_pictures_are_held_against_the_rewrite_s():
    # the unedited one is 100 off, the edited one 40; a second swap 0 and 10: (40 + 10) / (100 + 0)
    made = judged.pictures([Trio(*map(picture, (0, 60, 100))), Trio(*map(picture, (7, 17, 7)))])
    assert made.numbers == {"count": 2, "ratio": 0.5} and made.holds
    assert judged.pictures([Trio(*map(picture, (7, 17, 7)))]).holds is None


HEARD = {
    "all": (HeardBlocks(4, 4, True), True, "all 4 blocks are heard, and listening changes nothing"),
    "some": (HeardBlocks(4, 3, True), False, "3 of 4 blocks are heard"),
    "changed": (HeardBlocks(4, 4, False), False, "listening to the blocks changes the picture"),
    "never the same": (HeardBlocks(4, 4, None), True, "does not draw the same picture twice"),
}


@pytest.mark.parametrize("name", HEARD)
def test_blocks_are_told(name):
    heard, holds, told = HEARD[name]
    one = judged.blocks(heard)
    assert one.holds is holds and told in one.told


PATHS = {
    "in /home/a/models/clip/t5.safetensors there is": "in t5.safetensors there is",
    r"C:\Users\a\models\t5.safetensors": "t5.safetensors",
    "1/2 of all, and/or none": "1/2 of all, and/or none",
}


@pytest.mark.parametrize("text", PATHS)
def test_a_report_names_no_folder(text):
    assert without_folders(text) == PATHS[text]
    assert failed("rows", ValueError(f"{text}\nmore")).told == PATHS[text]


def test_files_are_named_without_folders_of_any_system():
    assert file_name(r"a\b\c.gguf") == file_name("a/b/c.gguf") == "c.gguf"


def test_the_table_that_is_built_in_has_four_of_four():
    table = small_table(False)
    assert [len(members) for members in table.categories.values()] == [4] * 4


@pytest.mark.parametrize("count", [59, 2001])
def test_numbers_of_encodings_have_bounds(count):
    with pytest.raises(ValueError, match=f"from 60 to 2000 encodings, not from {count}"):
        TrialConfig(count)


# --- from encodings to files ---------------------------------------------------------------------------------------


class Chaos:
    """Portraits' layout, and rows that are another noise for every text: what one word does says nothing of it."""

    family = PortraitsText.family

    def __init__(self):
        self._own = PortraitsText()

    def counts(self, words):
        return self._own.counts(words)

    def encode(self, texts):
        conds, pooled = self._own.encode(texts)
        return [self._noise(*one) for one in zip(conds, texts, strict=True)], pooled

    @staticmethod
    def _noise(cond, text):
        generator = torch.Generator().manual_seed(sum(n * byte for n, byte in enumerate(text.encode(), 1)))
        return torch.randn(cond.shape, generator=generator) * (cond != 0)


@pytest.fixture(scope="module")
def quick():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trial, "fit_dictionary", partial(fit_dictionary, config=QUICK))
        patch.setattr(trial, "ASKED", Counts(12, 2, 0))
        yield patch


def checked(host, sights=TEXT_ALONE):
    done, total = [], []

    def part(name, most):
        total.append(most)
        return done.append

    return run_check(host, TABLE, TrialConfig(60), Hooks(lambda said: None, part), sights, ABOUT), sum(done), sum(total)


def drawn(dictionary, wanted):
    assert all(str(one.edits[0].concept) in map(str, dictionary.table.concepts) for one in wanted)
    return [Trio(picture(0), picture(90), picture(100)) for _ in wanted]


@pytest.fixture(scope="module")
def made(quick):
    return checked(PortraitsText(), Sights(None, drawn, lambda: HeardBlocks(3, 3, True), 2))


@pytest.mark.slow
def test_portraits_is_checked_all_the_way(made):
    found = {one.what: one.holds for one in made[0].found}
    assert list(found) == [
        "family", "rows", "words", "weights", "learning", "reading", "swaps", "adds", "removals", "one of two",
        "among other things", "pooled vector", "read again", "pictures", "blocks",
    ]  # fmt: skip
    assert [
        one for one in ("family", "rows", "words", "learning", "swaps", "pictures", "blocks") if not found[one]
    ] == []
    assert found["weights"] is None
    assert made[0].json["checks"]["pictures"]["ratio"] == 0.1  # 10 of 100


@pytest.mark.slow
def test_a_bar_reaches_its_end(made):
    _, done, total = made
    assert done == total


@pytest.mark.slow
def test_files_hold_what_was_found_and_no_folder(made, tmp_path):
    files = write_check(made[0], tmp_path / "out")
    told = json.loads(files["results"].read_text(encoding="utf-8"))
    assert told["files"] == ["a.safetensors"] and told["family"] == "portraits" and told["table"] == "built in"
    assert told["verdict"][0]["sentence"] == made[0].verdict.splitlines()[0]
    page = files["report"].read_text(encoding="utf-8")
    assert page.count("<img") == 1 and all(one.what in page for one in made[0].found)
    assert not [
        name for name, file in files.items() if file.suffix != ".png" and str(tmp_path) in file.read_text("utf-8")
    ]
    panel = check_panel(made[0], "text")
    assert panel["level"] == made[0].level and len(panel["sections"][0]["rows"]) == len(made[0].found)


@pytest.mark.slow
def test_a_report_ends_with_the_verdict(made):
    lines = made[0].report("Saved.").splitlines()
    assert lines[-1] == made[0].verdicts[0][1] and "Saved." in lines


@pytest.mark.slow
def test_an_encoder_that_nothing_can_be_learnt_of_does_not_work(quick):
    made, *_ = checked(Chaos())
    assert made.level == "poor" and "does not work" in made.verdict
    by_name = {one.what: one for one in made.found}
    assert by_name["rows"].holds and not by_name["words"].holds  # causal rows before a word change with it
    assert "swaps" not in by_name or by_name["swaps"].numbers[OURS]["error"]["high"] > 0.9


def test_a_model_that_is_not_known_is_a_report_as_well():
    made = run.checked([failed("family", ValueError("Nobody knows it."))], TrialConfig(), ABOUT)
    assert made.json["family"] is None and made.level == "poor"
    assert made.report("Saved.").splitlines()[0] == "✗ family: Nobody knows it."
