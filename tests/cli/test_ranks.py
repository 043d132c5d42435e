"""The commands under torchrun: rank 0 begins and speaks, all ranks share the work, and it is the capture of one."""

import subprocess
import sys

import pytest
import torch

from supsae.cli.parser import main
from supsae.training import distributed

pytestmark = pytest.mark.slow

CAPTURE = ["capture", "--prompts", "130", "--calibration", "4", "--out"]
"""138 prompts: three shards."""


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    folder = tmp_path_factory.mktemp("alone") / "c"
    subprocess.run([sys.executable, "-m", "supsae", *CAPTURE, folder], check=True, capture_output=True)
    return folder


@pytest.mark.parametrize("ranks", [2, 3])
def test_ranks_make_the_capture_of_one_process(alone, torchrun, tmp_path, ranks):
    code, out, err = torchrun(ranks, "-m", "supsae", *CAPTURE, tmp_path / "c")
    assert code == 0, err
    assert out.count("138 prompts (130 to fit on") == 1 and out.count("Wrote the capture") == 1
    assert f"encode: 138 of 138 prompts, {ranks} processes" in out
    made = {file.name: file.read_bytes() for file in (tmp_path / "c").glob("[a-z]*")}
    assert made == {file.name: file.read_bytes() for file in alone.glob("[a-z]*")} and len(made) == 4


def test_all_ranks_end_if_the_first_cannot_begin(torchrun, tmp_path):
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "shard-00000.safetensors").touch()
    code, out, err = torchrun(2, "-m", "supsae", *CAPTURE, tmp_path / "c")
    assert code != 0 and "whose capture.json is gone" in err and "Wrote" not in out
    assert "Rank 1 stops, because rank 0 could not go on" in err or "SIGTERM" in err  # which ends first is torchrun's


def test_activations_are_refused(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(distributed, "world", lambda: 2)
    assert main([*CAPTURE, str(tmp_path / "d"), "--sites", "txt@1"]) == 2
    assert "recorded by one process, not by 2. Capture with another --seed in each" in capsys.readouterr().err


SEAM = """
import pathlib
import torch
from supsae.cli.parser import main
from supsae.training import distributed
with distributed.group():
    own = torch.tensor([float(distributed.rank() + 1)])
    most = own.clone()
    distributed.all_reduce(own)
    distributed.all_reduce(most, op="max")
    print(f"{distributed.world()} ranks, sum {int(own)}, most {int(most)}\\n", end="", flush=True)
    distributed.led(lambda: print("led\\n", end="", flush=True))
    one, two = torch.full((distributed.rank(), 2), distributed.rank(), dtype=torch.uint8), torch.ones(1)
    distributed.reduce_to(two, 1)
    if distributed.rank() == 1:
        assert distributed.collect(one, 1).tolist() == [[1, 1], [2, 2], [2, 2]] and float(two) == 3
        mine = {"flag": torch.tensor([True, False]), "number": torch.tensor(0.1).half(), "none": torch.zeros(0, 3)}
        found, said = distributed.share(1, mine, {"said": [0.1, None]})
    else:
        assert distributed.collect(one, 1) is one
        found, said = distributed.share(1, {})
    assert found["flag"].tolist() == [True, False] and found["none"].shape == (0, 3) and said == {"said": [0.1, None]}
    assert found["number"].dtype == torch.float16 and found["number"] == torch.tensor(0.1).half()
    squares = distributed.shared(range(7), lambda one: [distributed.rank(), one**2])
    assert squares == [[one % 3, one**2] for one in range(7)]
    every = torch.arange(7)[:, None]
    assert torch.equal(distributed.put_together(every[distributed.rank() :: 3], 7), every)
    with distributed.alone():
        distributed.all_reduce(own)
        assert distributed.world() == 1 and distributed.rank() == 0 and int(own) == 6
        assert distributed.shared([3], lambda one: one) == [3]
    distributed.counted("x", 2)
    distributed.all_reduce(own)
    assert distributed.counted("x", 0) == 6 and distributed.world() == 3
    try:
        distributed.together(lambda: 1 // (2 - distributed.rank()))
    except (ValueError, ZeroDivisionError) as error:
        print(f"{error}\\n", end="", flush=True)
    import torch._dynamo  # as an optimiser's first step does, and keeps no group alive
assert distributed.world() == 1
threads = {file.read_text().strip() for file in pathlib.Path("/proc/self/task").glob("*/comm")}
assert not any("gloo" in one for one in threads), threads
"""


def test_ranks_add_up_what_they_have(torchrun, tmp_path):
    (tmp_path / "seam.py").write_text(SEAM)
    code, out, err = torchrun(3, tmp_path / "seam.py")
    assert code == 0, err
    assert out.count("3 ranks, sum 6, most 3") == 3 and out.count("led") == 1  # 1 + 2 + 3
    assert out.count("because rank 2 could not go on. Read what rank 2 says.") == 2 and "by zero" in out


def test_without_torchrun_there_is_one_rank():
    tensor = torch.ones(2)
    with distributed.group():
        distributed.all_reduce(tensor)
        distributed.reduce_to(tensor, 0)
        assert distributed.collect(tensor, 0) is tensor and distributed.share(0, {"x": tensor}, 1) == ({"x": tensor}, 1)
        assert distributed.shared([1, 2], lambda one: (one,)) == [(1,), (2,)] and distributed.counted("x", 2) == 2
        assert distributed.put_together(tensor, 2) is tensor
        assert (distributed.rank(), distributed.world(), tensor.tolist()) == (0, 1, [1.0, 1.0])
        with pytest.raises(ZeroDivisionError):
            distributed.led(lambda: 1 / 0)


def test_every_rank_has_a_gpu_of_its_own(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert distributed.device() == torch.device("cuda", 1)
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(ValueError, match="Rank 2 .* has no GPU of its own: there are 2. Start torchrun with --nproc"):
        distributed.device()
