"""Claims on work in a shared folder: one living process has each, and what the dead have claimed is taken over."""

import os
import subprocess
import sys
import time

import pytest

from supsae.supsae_core import claims
from supsae.supsae_core.claims import CLAIM, claimed

CLAIM_AND_WAIT = """
import sys
from pathlib import Path
from supsae.supsae_core.claims import claimed
with claimed(Path(sys.argv[1]), "work-1") as claim:
    print(claim, flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def other(tmp_path):
    """Another process, which has the claim work-1."""
    made = subprocess.Popen(
        [sys.executable, "-c", CLAIM_AND_WAIT, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert made.stdin and made.stdout and made.stdout.readline() == b"True\n"
    yield made
    made.kill()
    made.communicate()


def names(folder):
    return sorted(file.name.removeprefix(CLAIM) for file in folder.iterdir())


def test_what_a_living_process_has_claimed_is_its_own_until_it_is_done(tmp_path, other):
    with claimed(tmp_path, "work-1") as refused, claimed(tmp_path, "work-2") as free:
        assert not refused and free and claims.claims(tmp_path) == {"work-1": True, "work-2": True}
    other.communicate(b"done\n")
    assert names(tmp_path) == []
    with claimed(tmp_path, "work-1") as now:
        assert now
        with claimed(tmp_path, "work-1") as twice:
            assert not twice


def test_a_claim_is_over_however_its_work_ends(tmp_path):
    with pytest.raises(KeyboardInterrupt), claimed(tmp_path, "work-1"):
        raise KeyboardInterrupt
    assert names(tmp_path) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a process is not asked for there")
@pytest.mark.parametrize("buried", [True, False])
def test_what_a_killed_process_claimed_is_taken_over_by_one_alone(tmp_path, other, buried):
    if not buried and not os.path.exists("/proc/self/stat"):
        pytest.skip("only Linux tells who has ended and is not buried")
    other.kill()
    if buried:
        other.wait()
    while claims.claims(tmp_path)["work-1"]:  # it takes a moment to die
        time.sleep(0.01)
    with claimed(tmp_path, "work-1") as mine, claimed(tmp_path, "work-1") as late:
        assert mine and not late and names(tmp_path) == ["work-1.0", "work-1.1"]
    assert names(tmp_path) == []


def test_what_another_machine_claimed_is_taken_over_once_it_is_silent(tmp_path, other):
    file = tmp_path / f"{CLAIM}work-1.0"
    file.write_text(file.read_text().replace('"machine": "', '"machine": "another-'), encoding="utf-8")
    other.kill()
    other.wait()
    with claimed(tmp_path, "work-1") as early:
        assert not early
    os.utime(file, (time.time() - claims.SILENT - 1,) * 2)
    with claimed(tmp_path, "work-1") as mine:
        assert mine


def test_the_living_give_signs_of_life(tmp_path, monkeypatch):
    monkeypatch.setattr(claims, "BEAT", 0.01)
    with claimed(tmp_path, "work-1"):
        (file,) = tmp_path.iterdir()
        os.utime(file, (1.0, 1.0))
        until = time.monotonic() + 10
        while file.stat().st_mtime < 2 and time.monotonic() < until:
            time.sleep(0.01)
        assert claims.claims(tmp_path) == {"work-1": True}


def test_where_processes_cannot_be_asked_for_silence_decides(tmp_path, other, monkeypatch):
    monkeypatch.delattr(os, "fork", raising=False)
    other.kill()
    other.wait()
    assert claims.claims(tmp_path) == {"work-1": True}
    os.utime(tmp_path / f"{CLAIM}work-1.0", (time.time() - claims.SILENT_HERE - 1,) * 2)
    assert claims.claims(tmp_path) == {"work-1": False}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"machine": 1}'])
def test_a_claim_that_does_not_say_whose_it_is_is_soon_nobodys(tmp_path, text):
    file = tmp_path / f"{CLAIM}work-1.0"
    file.write_text(text, encoding="utf-8")
    assert claims.claims(tmp_path) == {"work-1": True}
    os.utime(file, (time.time() - claims.WRITTEN - 1,) * 2)
    assert claims.claims(tmp_path) == {"work-1": False}
