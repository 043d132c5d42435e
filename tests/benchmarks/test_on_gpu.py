"""The script for a machine with a GPU runs where there is none: the CPU against itself, and it says what it lacks."""

import json
import sys

import pytest
import torch


@pytest.mark.slow
def test_the_cpu_against_itself_is_equal(benchmark, monkeypatch, tmp_path):
    on_gpu = benchmark("on_gpu")
    for name, count in (("PROMPTS", 40), ("CALIBRATION", 6), ("READ", 4), ("DRAWN", 1)):
        monkeypatch.setattr(on_gpu, name, count)
    monkeypatch.setattr(sys, "argv", ["on_gpu.py", "--device", "cpu", "--out", str(tmp_path / "r.json")])
    assert on_gpu.main() == 0
    found = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    assert found["times as fast"].keys() == {"capture", "fit", "read", "edit", "draw"}
    assert found["apart"] == dict.fromkeys(("rows", "decoders", "edited", "pixels"), 0)
    assert "no GPU was measured" in found["device"] and all(found["as near as they should be"].values())


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_so_and_writes_nothing(benchmark, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(sys, "argv", ["on_gpu.py", "--out", str(tmp_path / "r.json")])
    assert benchmark("on_gpu").main() == 2
    assert "no GPU here that this torch can use" in capsys.readouterr().err and not list(tmp_path.iterdir())
