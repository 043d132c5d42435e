"""The torture finds faults that are there, and in a slice of what it tries none in the package."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def faults(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    yield importlib.import_module("benchmarks.torture.faults")
    for name in [name for name in sys.modules if name == "benchmarks" or name.startswith("benchmarks.")]:
        del sys.modules[name]


def refuse(error):
    def call():
        raise error

    return call


def slow():
    """Take a tenth of a second of the processor: longer than the bound below."""
    import time

    began = time.process_time()
    while time.process_time() - began < 0.1:
        pass


SENTENCE = "The file 'a' is not whole. Copy it again."
FAULTS = {
    "a sentence": (refuse(ValueError(SENTENCE)), ""),
    "a result": (lambda: 3, ""),
    "a traceback": (refuse(KeyError("group")), "KeyError"),
    "a subclass of Python's own": (refuse(UnicodeDecodeError("utf-8", b"", 0, 1, "x")), "UnicodeDecodeError"),
    "two words": (refuse(ValueError("bad file")), "no sentence"),
    "Python's words": (refuse(ValueError("In 'a': 'int' object is not subscriptable.")), "no sentence"),
    "slow": (slow, "took 0.1 s"),
}


@pytest.mark.parametrize(("call", "said"), FAULTS.values(), ids=FAULTS)
def test_what_is_no_result_and_no_sentence_is_a_fault(faults, call, said):
    tally = faults.Tally("test")
    tally.attempt("it", call, seconds=0.05)
    assert len(tally.faults) == bool(said) and said in "".join(tally.faults)
    assert faults.table([tally]).splitlines()[-1].startswith(f"| test | 1 | {len(tally.faults)} |")


@pytest.mark.slow
def test_a_slice_of_it_finds_nothing(tmp_path):
    asked = ["--seed", "7", "--inputs", "120", "--kills", "13", "--only", "files", "texts", "kills"]
    faults = tmp_path / "faults.txt"
    command = [sys.executable, "-m", "benchmarks.torture", *asked, "--faults", faults]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, faults.read_text(encoding="utf-8") if faults.exists() else done.stderr
    # five kinds of files, six of texts; of 13 kills five jobs have one at least
    assert done.stdout.count("\n| damaged") == 5 and done.stdout.count("\n| killed") == 5
