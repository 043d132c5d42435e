"""Untrained models of pictures, and a dictionary as a person makes one, for all tests of the commands."""

import os
import subprocess
import sys

import pytest
import torch
from safetensors.torch import save_file

from supsae.cli import parser
from supsae.hosts.diffusers import studio
from supsae.portraits import reader, text
from supsae.portraits.mmdit import MMDiT
from supsae.portraits.vae import AutoEncoder


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    """The pack's own text encoders, and untrained models of pictures: quick to make, and no fake in the repository."""
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(0)
    for name, module in {
        studio.TRANSFORMER: MMDiT(),
        studio.VAE: AutoEncoder(),
        "reader.safetensors": reader.Reader(),
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        # Gates that are closed at first would hide the text from the picture.
        noisy = {key: tensor + 0.05 * torch.randn_like(tensor) for key, tensor in module.state_dict().items()}
        save_file({key: tensor.half().contiguous() for key, tensor in noisy.items()}, folder / name)
    (folder / "text_encoders.safetensors").write_bytes(text.WEIGHTS.read_bytes())
    return folder


@pytest.fixture(scope="session")
def fitted(made_once):
    """A capture of 90 prompts, and the dictionary fitted on it."""

    def make(folder):
        capture = f"capture --out {folder}/capture --prompts 80 --calibration 10 --held-out 0.1"
        assert parser.main(capture.split()) == 0
        assert parser.main(["fit", str(folder / "capture"), "--out", str(folder / "d")]) == 0

    return made_once("fitted", make)


@pytest.fixture(scope="session")
def torchrun():
    """Run a command under torchrun."""

    def run(ranks, *words):
        """Run words under torchrun; return the exit code and what was printed."""
        line = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", ranks, *words]
        alone = {name: value for name, value in os.environ.items() if name not in ("RANK", "WORLD_SIZE", "LOCAL_RANK")}
        done = subprocess.run(list(map(str, line)), capture_output=True, text=True, env=alone, check=False)
        return done.returncode, done.stdout, done.stderr

    return run
