"""What the panel of a capture is told: how far it is, how fast, how long still, how large, and of what."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from itertools import chain
from pathlib import Path
from time import monotonic
from typing import Any

from torch import Tensor

from ...supsae_core.capture.activations import BATCHES, SUMS, activation_bytes, load_activations
from ...supsae_core.capture.captures import Capture, load_capture
from ...supsae_core.capture.plan import ActivationPlan, TextPlan, text_bytes
from ...supsae_core.capture.store import Store
from ...supsae_core.host import Progress
from ...training.pace import Pace, left
from ...training.recording import Sampled, batches
from . import folders, messages, sampling

EVENT = "supsae.capture"
OUTPUT = "supsae_capture"
"""Key of the same in what a finished run shows."""
EVERY = 0.5
"""Seconds between two messages."""
PREVIEW = 3
"""Prompts shown."""
MOST_LISTED = 32 * 1024 * 1024
"""Bytes of a capture's index that is read only to tell how far it is."""


class Watch:
    """Tells the browser how a capture goes; made when the run starts."""

    def __init__(self, folder: Path, plan: TextPlan, clock: Callable[[], float] = monotonic) -> None:
        self.folder, self.plan = folder, plan
        self._node, self._pace, self._clock = messages.node_id(), Pace(clock), clock
        self.need = text_bytes(plan) + (activation_bytes(plan) if isinstance(plan, ActivationPlan) else 0)
        self._told = float("-inf")

    def tell(self, done: int, what: str, preview: Iterable[int]) -> None:
        """Send how many are done and the prompts worked on, at most twice a second.

        ``what`` is ``prompts`` (they are encoded) or ``pictures`` (sampled).
        """
        now = self._clock()
        if now - self._told >= EVERY:
            self._told = now
            texts = [self.plan.entries[index].prompt.text for index in preview]
            messages.send(EVENT, {"node": self._node, **self.state(done), "what": what, "preview": texts})

    def state(self, done: int) -> dict[str, Any]:
        """Return what is told, apart from what is worked on."""
        rate, total = self._pace.rate(done), len(self.plan.entries)
        written = folders.bytes_in(self.folder)
        return {
            "version": 1, "done": done, "total": total, "rate": rate, "left": left(done, total, rate),
            "bytes": written, "all_bytes": max(written, self.need), "folder": self.folder.name,
        }  # fmt: skip

    def finished(self) -> dict[str, Any]:
        """Return the ``ui`` of the node's output."""
        return {OUTPUT: [{**self.state(len(self.plan.entries)), "finished": True}]}


def encoding_progress(watch: Watch) -> Progress:
    """Return a callback (done, total) of training.encoding, which counts the prompts that were missing."""
    plan, capture = watch.plan, Capture(watch.folder, watch.plan)
    bar = messages.progress()
    order = list(chain.from_iterable(map(capture.span, capture.missing())))
    before = len(plan.entries) - len(order)

    def told(done: int, total: int) -> None:
        bar(done, total)
        at = min(done, len(order))
        watch.tell(before + at, "prompts", order[at : at + PREVIEW])

    return told


def sampling_progress(watch: Watch, model: Any) -> Sampled:
    """Return a callback of training.recording, with a preview of the pictures being sampled."""
    plan = watch.plan
    assert isinstance(plan, ActivationPlan)
    steps, capture = plan.sampling.steps, Capture(watch.folder, plan)
    bar = sampling.previewed_progress(model, len(plan.entries) * steps)

    @cache  # known from the first step on, when all is encoded
    def order() -> list[int]:
        return [index for batch in batches(capture, load_activations(capture).missing) for index in batch]

    def told(done: int, _: int, denoised: Tensor | None) -> None:
        bar(done, denoised)
        at = done // steps - (len(plan.entries) - len(order()))
        watch.tell(done // steps, "pictures", order()[at : at + PREVIEW])

    return told


def how_far(name: str) -> dict[str, Any]:
    """Return prompts done, of how many, and bytes of a capture's folder; none of none if there is no capture yet.

    Raises:
        ValueError: if the name cannot be one, or the capture is damaged.
    """
    folder = folders.capture_folder(name)
    index = folder / "capture.json"
    if not index.is_file() or index.stat().st_size > MOST_LISTED:
        return {"done": 0, "total": 0, "bytes": 0, "folder": folder.name}
    capture = load_capture(folder)
    total = len(capture.plan.entries)
    left = sum(len(capture.entries(shard)) for shard in capture.missing())
    done = _sampled(capture.store) if isinstance(capture.plan, ActivationPlan) else total - left
    return {"done": done, "total": total, "bytes": folders.bytes_in(folder), "folder": folder.name}


def _sampled(store: Store) -> int:
    """Count the pictures in a capture of activations by the headers alone; opening it would tidy its files up."""
    found: set[int] = set()
    for key in (SUMS, *store.keys(BATCHES)):
        if store.has(key):
            with store.opened(key) as opened:
                found.update(_prompts(store.file(key).name, opened.metadata))
    return len(found)


def _prompts(name: str, metadata: Mapping[str, str]) -> list[int]:
    try:
        return [int(one) for one in json.loads(metadata["prompts"])]
    except (KeyError, TypeError, ValueError, RecursionError, OverflowError) as error:
        raise ValueError(f"{name!r} of this capture does not say which prompts it holds. Delete it.") from error
