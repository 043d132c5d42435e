"""A capture that was fitted before is not fitted again; one that changed, or whose fit was damaged, is."""

import errno
import shutil
from dataclasses import replace

import pytest
import torch

from supsae.hosts.embedded import PortraitsText
from supsae.portraits import captions
from supsae.supsae_core import files
from supsae.supsae_core.capture.captures import load_capture
from supsae.supsae_core.table.parsing import parse_table
from supsae.training import capture, fit_once
from supsae.training.capture import CaptureConfig
from supsae.training.fit_once import FOLDER
from supsae.training.solvers.exact import ExactConfig

QUICK = ExactConfig(common_ridges=(10.0,), shared_ridges=(3.0,), own_ridges=(30.0,))
"""One candidate in place of the search for the best ridges."""


@pytest.fixture(scope="module")
def captured(tmp_path_factory):
    table, host = parse_table("hair: [red hair, blond hair]\nhat: [golden crown, no hat]"), PortraitsText()
    plan = capture.plan_text(table, host, CaptureConfig(prompts=20, calibration=4), captions.WORDING)
    return capture.capture_text(host, tmp_path_factory.mktemp("captured") / "capture", plan)


@pytest.fixture
def made(captured, tmp_path):
    return load_capture(shutil.copytree(captured.folder, tmp_path / "capture"))


def fitted(made, config=QUICK):
    """Fit once; return the dictionary and whether anything was computed."""
    steps = []
    return fit_once.fit_once(made, config=config, progress=lambda *at: steps.append(at)), bool(steps)


def test_the_second_time_is_the_same_and_computes_nothing(made):
    (one, first), (other, second) = fitted(made), fitted(made)
    assert (first, second) == (True, False)
    assert one.provenance == other.provenance and one.table == other.table
    assert torch.equal(one.codes, other.codes)


def test_other_options_are_another_fit_and_both_are_kept(made):
    narrow = replace(QUICK, rank=4)
    (one, _), (other, first) = fitted(made), fitted(made, narrow)
    assert first and {len(part.decoder) for part in other.parts.values()} == {4}
    (again, anew), (_, anew_narrow) = fitted(made), fitted(made, narrow)
    assert not anew and not anew_narrow and torch.equal(again.codes, one.codes)


def test_a_capture_that_changed_is_fitted_anew(made):
    fitted(made)
    (before,) = (made.folder / FOLDER).iterdir()
    file = next(made.folder.glob("*.safetensors"))
    file.write_bytes(file.read_bytes())  # as a capture that was made again
    assert fitted(made)[1]
    (after,) = (made.folder / FOLDER).iterdir()  # what no capture is any more is not kept
    assert after != before


def test_a_damaged_fit_is_made_anew(made):
    fitted(made)
    (file,) = (made.folder / FOLDER).iterdir()
    file.write_bytes(b"not a dictionary")
    assert fitted(made)[1] and not fitted(made)[1]


def test_a_fit_that_cannot_be_kept_is_still_a_fit(made):
    (made.folder / FOLDER).write_text("a file stands where the folder would be")
    assert fitted(made)[1]


def test_a_fit_that_a_full_disk_cuts_off_is_still_a_fit(made, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    assert fitted(made)[1] and list((made.folder / FOLDER).iterdir()) == []
