"""Several processes on one capture: nothing is encoded twice, what the dead had is taken over, and one is made."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from supsae.hosts.embedded import PortraitsText
from supsae.portraits import captions
from supsae.supsae_core.capture import captures
from supsae.supsae_core.capture.captures import load_capture
from supsae.supsae_core.claims import CLAIM, claimed
from supsae.supsae_core.files import BusyError, alone_in
from supsae.training import capture
from supsae.training.capture import CaptureConfig
from supsae.training.encoding import encode_missing

pytestmark = pytest.mark.slow

SHARD = 4
"""28 prompts are seven shards."""

WORK = """
import sys, time
from pathlib import Path
from supsae.hosts.embedded import PortraitsText
from supsae.supsae_core.capture import captures
from supsae.training.encoding import encode_missing

captures.SHARD = 4
folder, log, stuck = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3] == "stuck"

class Host(PortraitsText):
    def encode(self, texts):
        with log.open("a") as file:
            file.writelines(f"{text}\\n" for text in texts)
        time.sleep(1000 if stuck else 0.05)
        return super().encode(texts)

host = Host()
print("ready", flush=True)
sys.stdin.readline()
encode_missing(host, captures.load_capture(folder))
"""


class Counting(PortraitsText):
    """The real encoders, slowed down, with every text counted."""

    def __init__(self):
        super().__init__()
        self.texts = []

    def encode(self, texts):
        self.texts += texts
        time.sleep(0.05)
        return super().encode(texts)


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(captures, "SHARD", SHARD)


@pytest.fixture(scope="module")
def plan():
    config = CaptureConfig(prompts=20, calibration=4)
    return capture.plan_text(captions.table(), PortraitsText(), config, captions.WORDING)


@pytest.fixture
def worker(tmp_path):
    """Start another process on a capture, which begins to encode once it is told."""
    started = []

    def start(folder, how=""):
        line = [sys.executable, "-c", WORK, folder, tmp_path / "log", how]
        made = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        started.append(made)
        assert made.stdin and made.stdout and made.stdout.readline() == "ready\n"
        made.stdin.write("go\n")
        made.stdin.flush()
        return made

    yield start
    for one in started:
        one.kill()
        one.communicate()


def said(log: Path) -> list[str]:
    return log.read_text().splitlines()


def content(folder):
    """Return the files of a capture but for what is locked."""
    return {file.name: file.read_bytes() for file in folder.iterdir() if not file.name.endswith(".lock")}


def test_two_processes_make_the_capture_of_one_and_encode_nothing_twice(plan, worker, tmp_path):
    host, seen = Counting(), []
    begun = capture.begin_text(tmp_path / "two", plan).capture
    other = worker(begun.folder)
    encode_missing(host, begun, lambda done, total: seen.append((done, total)))
    assert other.wait(timeout=20) == 0
    theirs = said(tmp_path / "log")
    assert host.texts and theirs and sorted(host.texts + theirs) == sorted(entry.prompt.text for entry in plan.entries)
    alone = capture.capture_text(Counting(), tmp_path / "one", plan)
    assert content(begun.folder) == content(alone.folder)
    assert seen[0][1] == 28 and seen[-1] == (28, 28) and seen == sorted(seen)  # the progress of both


def test_what_a_killed_process_had_in_flight_is_taken_over(plan, worker, tmp_path):
    begun = capture.begin_text(tmp_path / "c", plan).capture
    other = worker(begun.folder, "stuck")
    while not (tmp_path / "log").exists():
        time.sleep(0.01)
    late = capture.begin_text(tmp_path / "c", plan)
    assert late.others == 1 and late.damaged == 0
    other.kill()
    other.wait()
    (tmp_path / "c" / f"{CLAIM}shard-00006.0").write_text(json.dumps({"machine": "gone", "process": 1, "born": None}))
    with pytest.raises(KeyboardInterrupt):  # one shard is another machine's, which is silent but not for long
        encode_missing(Counting(), begun, stop_when_waiting)
    assert begun.missing() == [6]
    (tmp_path / "c" / f"{CLAIM}shard-00006.0").unlink()
    capture.capture_text(PortraitsText(), begun.folder, plan)
    alone = capture.capture_text(PortraitsText(), tmp_path / "one", plan)
    assert content(begun.folder) == content(alone.folder)


def stop_when_waiting(done, total):
    if done == total - SHARD:
        raise KeyboardInterrupt


def test_claims_of_the_dead_on_what_is_done_are_swept(plan, tmp_path):
    made = capture.capture_text(PortraitsText(), tmp_path / "c", plan)
    (made.folder / f"{CLAIM}shard-00002.0").write_text(json.dumps({"machine": "gone", "process": 1, "born": None}))
    capture.capture_text(PortraitsText(), made.folder, plan)
    assert not list(made.folder.glob(f"{CLAIM}*"))


def test_a_shard_that_was_finished_meanwhile_is_not_encoded_again(plan, tmp_path, monkeypatch):
    made = capture.capture_text(PortraitsText(), tmp_path / "c", plan)
    host, there = Counting(), load_capture(made.folder)
    looks = iter([[3], [3], []])
    monkeypatch.setattr(type(there), "missing", lambda self: next(looks, []))
    encode_missing(host, there)
    assert host.texts == []


def test_a_folder_in_which_something_else_is_done_is_said_to_be_busy(plan, tmp_path, monkeypatch):
    code = "import sys\nfrom pathlib import Path\nfrom supsae.supsae_core.files import alone_in\n"
    code += "with alone_in(Path(sys.argv[1])):\n    print('held', flush=True)\n    sys.stdin.readline()"
    with subprocess.Popen([sys.executable, "-c", code, tmp_path], stdin=-1, stdout=-1) as holder:
        assert holder.stdout and holder.stdout.readline() == b"held\n"
        monkeypatch.setattr(capture, "WAIT", 0.1)
        with pytest.raises(BusyError, match=f"worked in by process {holder.pid}"):
            capture.capture_text(PortraitsText(), tmp_path, plan)
        holder.kill()
    with alone_in(tmp_path), claimed(tmp_path, "x"):
        assert capture.begin_text(tmp_path, plan).others == 1
