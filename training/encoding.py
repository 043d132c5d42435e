"""Encode the shards of a planned capture, together with whoever else works on it: other processes, machines and ranks.

Every worker claims one missing shard after another. A worker that dies loses the shard in flight, which another takes
over; one that finds every missing shard claimed waits for the others, so that whoever returns has a finished capture.
"""

import time
from collections.abc import Callable

from ..supsae_core.capture.captures import Capture, key_of
from ..supsae_core.claims import claimed, claims, release
from ..supsae_core.host import Progress, TextHost
from ..supsae_core.stopping import heed

PAUSE = 0.5
"""Seconds between two looks at what others have still to do."""


def encode_missing(host: TextHost, capture: Capture, progress: Progress | None = None, batch: int = 32) -> Capture:
    """Encode what is missing of a capture that nobody else encodes, and wait until nothing is missing.

    Args:
        host: of the capture's encoders.
        capture: begun; other processes may work on it.
        progress: told of (prompts that all workers have encoded meanwhile, prompts that were missing); may raise to
            interrupt.
        batch: prompts that are encoded together.
    """
    before = _prompts(capture)

    def told(more: int = 0) -> None:
        heed()
        if progress:
            progress(before - _prompts(capture) + more, before)

    while missing := capture.missing():
        living = {name for name, lives in claims(capture.folder).items() if lives}
        free = [shard for shard in missing if key_of(shard) not in living]
        for shard in free:
            with claimed(capture.folder, key_of(shard)) as mine:
                if mine and not capture.store.has(key_of(shard)):
                    _encode(host, capture, shard, told, batch)
        if not free:
            told()
            time.sleep(PAUSE)
    for name in claims(capture.folder):  # of the dead, whose work another has done
        release(capture.folder, name)
    told()
    return capture


def _prompts(capture: Capture) -> int:
    """Return how many prompts are missing."""
    return sum(len(capture.span(shard)) for shard in capture.missing())


def _encode(host: TextHost, capture: Capture, shard: int, told: Callable[[int], None], batch: int) -> None:
    """Encode a shard that is claimed."""
    texts = [entry.prompt.text for entry in capture.entries(shard)]
    conds, pooled = [], []
    for start in range(0, len(texts), batch):
        told(start)
        some = host.encode(texts[start : start + batch])
        conds += some[0]
        pooled += some[1]
    capture.write(shard, conds, pooled)
