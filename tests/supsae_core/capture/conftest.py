"""Pictures of a few prompts, recorded inside the real model in batches of 4."""

import shutil
from dataclasses import replace
from functools import partial

import pytest

from supsae.hosts.diffusers import studio
from supsae.hosts.diffusers.recording import DiffusersPictures
from supsae.portraits import captions
from supsae.supsae_core.capture.captures import load_capture
from supsae.supsae_core.encoders.sites import parse_sites
from supsae.training import recording
from supsae.training.capture import CaptureConfig
from supsae.training.recording import SamplingConfig

CONFIG = CaptureConfig(prompts=10, calibration=4, seed=1)
"""10 prompts to fit on and 2 · 4 to calibrate on; in batches of 4 that is 4 + 4 + 2 and 4 + 4."""
HOW = SamplingConfig(parse_sites("txt@1, img@2-3"), steps=3, cfg=3.0, width=128, height=128, buckets=2)
"""Two buckets: steps 0 and 1, and step 2. Portraits has three blocks, so img@3 leaves the last."""


@pytest.fixture(scope="session")
def models():
    return studio.load_studio()


@pytest.fixture(scope="session")
def pictures(models):
    return DiffusersPictures(models.transformer, partial(studio.negative, models))


@pytest.fixture(scope="session")
def planned(models, pictures):
    """Return `planned(seed, sites, host)`: what is recorded."""

    def make(seed=1, sites="txt@1, img@2-3", host=models.host):
        how, config = replace(HOW, sites=parse_sites(sites)), replace(CONFIG, seed=seed)
        return recording.plan_activations(captions.table(), host, pictures, config, how, captions.WORDING)

    return make


@pytest.fixture(scope="session")
def record(models, pictures):
    """Return `record(folder, plan)`: record, or go on with what is there."""

    def run(folder, plan, pictures=pictures, **options):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(recording, "BATCH", 4)
            return recording.capture_activations(models.host, pictures, folder, plan, **options)

    return run


@pytest.fixture(scope="session")
def recorded(record, planned, tmp_path_factory):
    return record(tmp_path_factory.mktemp("recorded") / "capture", planned())


@pytest.fixture(scope="session")
def other_recorded(record, planned, tmp_path_factory):
    return record(tmp_path_factory.mktemp("other") / "capture", planned(seed=2))


@pytest.fixture
def made(recorded, tmp_path):
    """The same in a folder of its own, to be changed."""
    return load_capture(shutil.copytree(recorded.folder, tmp_path / "made"))
