"""Capture activations: sample the prompts of a capture in batches while a recorder listens, and keep what it heard."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..supsae_core.capture.activations import discard_damaged, load_activations, start_activations
from ..supsae_core.capture.captures import Capture
from ..supsae_core.capture.plan import ActivationPlan, TextPlan
from ..supsae_core.capture.sampling import Sampling
from ..supsae_core.encoders.fingerprints import project
from ..supsae_core.encoders.sites import Site, check
from ..supsae_core.files import alone_in
from ..supsae_core.host import PROBES, PictureHost, Progress, TextHost
from ..supsae_core.table.concepts import ConceptTable
from ..supsae_core.table.prompts import PLAIN, Wording
from .capture import CaptureConfig, capture_text, plan_text
from .recorder import BatchRecorder

BUCKETS = 4
BATCH, BATCH_PIXELS = 16, 4 * 1024 * 1024
"""Most pictures, and most of their pixels, that are sampled together."""
PROBE_SIDE = 128
"""Pixels: the size of the pictures that fingerprints are taken of, whatever the capture's."""

Sampled = Callable[[int, int, Tensor | None], None]
"""(done, total, denoised latents or None); may raise to interrupt."""


@dataclass(frozen=True)
class SamplingConfig:
    """How pictures are sampled and what of them is recorded."""

    sites: tuple[Site, ...]
    steps: int = 28
    cfg: float = 4.5
    width: int = 1024
    height: int = 1024
    image: str = "mean"
    buckets: int = BUCKETS


def plan_activations(
    table: ConceptTable,
    text: TextHost,
    model: PictureHost,
    config: CaptureConfig,
    sampling: SamplingConfig,
    wording: Wording = PLAIN,
    *,
    progress: Progress | None = None,
) -> ActivationPlan:
    """Draw every prompt of a capture of activations, and fix how their pictures are sampled.

    ``progress`` is told of every prompt, and may raise to interrupt.

    Raises:
        ValueError: if the model has no such block, or the options do not fit together; before anything is encoded.
    """
    check(sampling.sites, model.depth)
    sigmas = model.sigmas(sampling.steps)
    how = Sampling(**vars(sampling), sigmas=sigmas, hidden=model.hidden, fingerprint={})
    drawn = plan_text(table, text, config, wording, progress=progress)
    how = replace(how, fingerprint=picture_fingerprint(text, model, how))
    return ActivationPlan(**vars(replace(drawn, whole=True)), sampling=how)


def picture_fingerprint(text: TextHost, model: PictureHost, how: Sampling) -> dict[str, tuple[float, ...]]:
    """Return 64 numbers per site that tell this model from another: what it makes of pure noise in one step."""
    probe = _Probe(how.sites)
    once = replace(
        how, steps=1, buckets=1, cfg=1.0, sigmas=model.sigmas(1), width=PROBE_SIDE, height=PROBE_SIDE, image="mean"
    )
    for seed, row in enumerate(zip(*text.encode(PROBES), strict=True)):
        model.sample([row], [seed], once, probe)
    return {str(site): project(torch.cat(rows)) for site, rows in probe.heard.items()}


class _Probe:
    """A recorder that keeps the mean row of every call."""

    attended = None

    def __init__(self, sites: tuple[Site, ...]) -> None:
        self.sites, self.heard = sites, dict[Site, list[Tensor]]()

    def hear(self, site: Site, rows: Tensor, attention: Tensor | None = None) -> None:
        self.heard.setdefault(site, []).append(rows[0].float().mean(0).cpu())

    def step(self) -> None:
        """One is all there is."""


def capture_activations(
    text: TextHost,
    model: PictureHost,
    folder: str | Path,
    plan: ActivationPlan,
    *,
    encoded: Progress | None = None,
    sampled: Sampled | None = None,
    limit: int | None = None,
) -> Capture:
    """Encode and sample what is missing of a planned capture of activations.

    Args:
        encoded: called with (prompts encoded, prompts); may raise to interrupt.
        sampled: called after every step with (pictures times steps done, of how many, denoised latents or None); may
            raise to interrupt.
        limit: most bytes it may take; None is the free disk less a tenth.

    Raises:
        BusyError: if another process works in the folder.
        ValueError: if the folder holds another capture, or the capture would be too large.
        OSError: with a sentence, if the disk is full; what was recorded is kept.
    """
    with alone_in(Path(folder)):
        start_activations(folder, plan, limit=limit)
        capture = capture_text(text, folder, plan, progress=encoded)
        discard_damaged(capture)
        _sample(model, capture, plan, sampled)
    return capture


def _sample(model: PictureHost, capture: Capture, plan: ActivationPlan, sampled: Sampled | None) -> None:
    """Sample the pictures that are missing."""
    found, seeds = load_activations(capture), noise_seeds(plan)
    missing, steps = found.missing, plan.sampling.steps
    total = len(plan.entries) * steps
    done = total - len(missing) * steps
    for batch in batches(capture, missing):
        prompts = capture.pick(batch)
        recorder = BatchRecorder(plan, prompts)
        told = partial(_tell, sampled, done, total, len(batch)) if sampled else None
        rows = [(row.cond, row.pooled) for row in prompts]
        model.sample(rows, [seeds[index] for index in batch], plan.sampling, recorder, told)
        found.add(batch, recorder.recorded())
        done += len(batch) * steps


def _tell(sampled: Sampled, done: int, total: int, pictures: int, steps: int, denoised: Tensor | None) -> None:
    sampled(done + steps * pictures, total, denoised)


def batches(capture: Capture, missing: Sequence[int]) -> Iterator[list[int]]:
    """Divide prompts into batches of one set and one length."""
    plan, rows = capture.plan, capture.rows()
    assert isinstance(plan, ActivationPlan)
    most = max(1, min(BATCH, BATCH_PIXELS // (plan.sampling.width * plan.sampling.height)))

    def kind(index: int) -> tuple[bool, int]:
        return plan.entries[index].set != "fit", rows[index]

    for _, alike in groupby(sorted(missing, key=kind), key=kind):
        some = list(alike)
        yield from (some[start : start + most] for start in range(0, len(some), most))


def noise_seeds(plan: TextPlan) -> list[int]:
    """Return the noise seed of every prompt; a rewrite has that of the prompt it rewrites."""
    drawn = np.random.default_rng((plan.seed, 3)).integers(2**32, size=len(plan.entries)).tolist()
    return [drawn[i - 1] if entry.set == "rewrite" else drawn[i] for i, entry in enumerate(plan.entries)]
