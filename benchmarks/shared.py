"""The capture and the cases that several benchmarks share."""

import hashlib
from pathlib import Path

import numpy as np

from supsae.evaluation.cases import Case, World, draw_cases
from supsae.hosts.diffusers import studio
from supsae.portraits import captions
from supsae.supsae_core.capture.captures import Capture
from supsae.supsae_core.editing.edits import Swap
from supsae.supsae_core.host import TextHost
from supsae.training import capture

SEED = 4711
PROMPTS, CALIBRATION, HELD_OUT = 1500, 256, 0.12


def captured(host: TextHost, folder: Path, count: int = PROMPTS, calibration: int = CALIBRATION) -> Capture:
    """Capture ``count`` prompts of Portraits."""
    config = capture.CaptureConfig(prompts=count, calibration=calibration, held_out=HELD_OUT)
    return capture.capture_text(host, folder, capture.plan_text(captions.table(), host, config, captions.WORDING))


def unseen_swaps(many: Capture, count: int, seed: int = SEED) -> list[Case]:
    """Draw swaps into pairs that a capture held out, apart from all of its prompts; the same ones every time."""
    return draw_cases(Swap, World.of(many.plan), count, np.random.default_rng((seed, 0)), pairs="unseen")


def weights() -> str:
    """Return what tells these weights from others, so that no reading of other pictures is taken over."""
    return hashlib.sha256(b"".join((studio.WEIGHTS / name).read_bytes() for name in studio.FILES)).hexdigest()[:16]
