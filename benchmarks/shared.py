"""The capture and the cases that several benchmarks share."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from supsae.evaluation import cases
from supsae.evaluation.cases import Case
from supsae.hosts.diffusers import studio
from supsae.hosts.diffusers.studio import Studio
from supsae.portraits import captions
from supsae.supsae_core.capture.captures import Capture
from supsae.supsae_core.editing.edits import Swap
from supsae.training import capture

SEED = 4711
PROMPTS, CALIBRATION, HELD_OUT = 1500, 256, 0.12


def captured(models: Studio, folder: Path, count: int = PROMPTS, calibration: int = CALIBRATION) -> Capture:
    """Capture ``count`` prompts of Portraits."""
    config = capture.CaptureConfig(prompts=count, calibration=calibration, held_out=HELD_OUT)
    return capture.run(models.host, folder, capture.plan(captions.table(), models.host, config, captions.WORDING))


def unseen_swaps(many: Capture, count: int, seed: int = SEED) -> list[Case]:
    """Draw swaps into pairs that a capture held out, apart from all of its prompts; the same ones every time."""
    return cases.draw_cases(
        Swap, captions.table(), count, np.random.default_rng((seed, 0)),
        held_out=frozenset(frozenset(pair) for pair in many.plan.held_out), pairs="unseen", wording=captions.WORDING,
        longest=captions.LONGEST, apart_from={entry.prompt.text for entry in many.plan.entries},
    )  # fmt: skip


def weights() -> str:
    """Return what tells these weights from others, so that no reading of other pictures is taken over."""
    return hashlib.sha256(b"".join((studio.WEIGHTS / name).read_bytes() for name in studio.FILES)).hexdigest()[:16]
