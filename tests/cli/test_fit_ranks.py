"""A fit under torchrun: rank 0 writes and speaks, and it is the dictionary of one process."""

import shutil
from dataclasses import fields

import pytest
import torch

from supsae.cli.parser import main
from supsae.supsae_core.capture.captures import load_capture
from supsae.supsae_core.dictionary.file import load_dictionary
from supsae.supsae_core.dictionary.operator import tensors_of
from supsae.supsae_core.editing.apply import apply
from supsae.supsae_core.editing.edits import Swap
from supsae.training.calibration import known_reading, swapped

pytestmark = pytest.mark.slow

TABLE = """
hair: [black hair, red hair, blond hair]
hat: [top hat, golden crown, wool cap]
"""
OPTIONS = [f"--option={name}_ridges={ridge}" for name, ridge in (("common", 10), ("shared", 3), ("own", 30))]
"""One candidate in place of the search for the best ridges."""


@pytest.fixture(scope="module")
def captured(tmp_path_factory):
    """A capture of 80 prompts in two shards, of which 72 are to fit on; the first of three ranks has none."""
    folder = tmp_path_factory.mktemp("ranks")
    (folder / "table.yaml").write_text(TABLE)
    line = ["capture", "--table", folder / "table.yaml", "--prompts", "72", "--calibration", "4", "--rewrites", "3"]
    assert main([*map(str, line), "--out", str(folder / "c")]) == 0
    return folder / "c"


@pytest.fixture(scope="module")
def alone(captured):
    """The dictionary that one process fits."""
    assert main(["fit", str(captured), "--out", str(captured.parent / "alone.safetensors"), *OPTIONS]) == 0
    return load_dictionary(captured.parent / "alone.safetensors")


def numbers(report, place=()):
    """Yield what a report says, without how long it took."""
    for name, said in report.items() if isinstance(report, dict) else ():
        if isinstance(said, dict):
            yield from numbers(said, (*place, name))
        elif not name.endswith("_seconds"):
            yield (*place, name), said


def tensors(dictionary):
    """Yield the name and the value of all that a dictionary decodes to."""
    for name, part in dictionary.parts.items():
        yield from ((f"{name}.{one.name}", getattr(part, one.name)) for one in fields(part) if "code" not in one.name)
        yield f"{name}.means", part.slot_codes @ part.decoder + part.bias
    for name, operator in dictionary.operators.items():
        yield from ((f"{name}.operator.{key}", one) for key, one in tensors_of(operator).items())


def edited(dictionary, capture):
    """Yield the rows of prompts kept aside after a swap."""
    rows = list(capture.read("calibration", "rewrite"))
    for before, after in zip(rows[::2], rows[1::2], strict=True):
        swap = Swap(str(dictionary.table.concepts[swapped(dictionary, before, after)]))
        made = apply(dictionary, before.cond, before.pooled, [swap], known_reading(dictionary, before))
        assert made.pooled is not None and not torch.equal(made.cond, before.cond)
        yield torch.cat([made.cond.flatten(), made.pooled.flatten()])


KILLED = """
import os, signal, sys
from supsae.cli.parser import main
from supsae.training import distributed, fit
def make_part(*_):
    os.kill(os.getpid(), signal.SIGKILL)
if os.environ["RANK"] == "1":
    fit.make_part = make_part
sys.exit(main(sys.argv[1:]))
"""


def test_a_killed_rank_ends_all_and_nothing_is_left_half_written(captured, torchrun, tmp_path):
    (tmp_path / "killed.py").write_text(KILLED)
    out_file = tmp_path / "out" / "d"
    code, out, err = torchrun(2, tmp_path / "killed.py", "fit", captured, "--out", out_file, *OPTIONS)
    assert code != 0 and "Wrote" not in out
    assert "Rank 0 stops, because it hears nothing of another rank" in err or "SIGTERM" in err  # what torchrun sends
    assert list(out_file.parent.iterdir()) == []


@pytest.mark.parametrize("ranks", [2, 3])
def test_ranks_fit_the_dictionary_of_one_process(captured, alone, torchrun, tmp_path, ranks):
    # After a fit of this capture was killed. Samples come in the order of the capture, and sums in float64: only the
    # order in which these are added differs.
    code, out, err = torchrun(ranks, "-m", "supsae", "fit", captured, "--out", tmp_path / "d", *OPTIONS)
    assert code == 0, err
    assert out.count("Wrote the dictionary") == 1 and f"steps, {ranks} processes" in out
    assert {file.name for file in tmp_path.iterdir()} == {"d.safetensors", "d.png"}
    made = load_dictionary(tmp_path / "d.safetensors")
    for (name, one), (_, other) in zip(tensors(made), tensors(alone), strict=True):
        largest = float(other.float().abs().max()) if other.numel() else 0.0
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4 * largest, msg=name)
    for (name, one), (_, other) in zip(numbers(made.report), numbers(alone.report), strict=True):
        assert one == (pytest.approx(other, rel=1e-4) if isinstance(other, float) else other), name
    capture = load_capture(captured)
    for one, other in zip(edited(made, capture), edited(alone, capture), strict=True):
        assert float((one - other).norm() / other.norm()) < 1e-4


def test_a_rank_that_fails_says_why_and_the_others_end(captured, torchrun, tmp_path):
    shutil.copytree(captured, tmp_path / "c")
    damaged = tmp_path / "c" / "shard-00001.safetensors"  # that of rank 1
    damaged.write_bytes(damaged.read_bytes()[:-100])
    code, out, err = torchrun(2, "-m", "supsae", "fit", tmp_path / "c", "--out", tmp_path / "d")
    assert code != 0 and "Wrote" not in out and not (tmp_path / "d.safetensors").exists()
    assert "shard-00001.safetensors is damaged" in err
    assert "Rank 0 stops, because rank 1 could not go on. Read what rank 1 says." in err or "SIGTERM" in err
