"""A server that works for minutes: its memory is the same in the end as when it was warm."""

from __future__ import annotations

import importlib
import random
import sys
import time
from pathlib import Path
from typing import Any

from tqdm import tqdm

from .faults import Tally
from .server import HARNESS, PROVIDERS

WARM, GROWTH = 0.2, 64.0
"""Share of the time after which a server is warm, and megabytes that it may grow by from then on."""


def torture_soak(folder: Path, minutes: float, seed: int) -> list[Tally]:
    """Edit, sweep and read in random ways for some minutes."""
    sys.path.insert(0, str(HARNESS))
    harness: Any = importlib.import_module("server")
    if not isinstance(harness.COMFY, harness.Comfy):
        print(f"Nothing is soaked: {harness.COMFY}.", file=sys.stderr)
        return []
    base = folder / "soak"
    base.mkdir()
    tally, rng = Tally(f"{minutes:g} minutes of work"), random.Random(seed)
    with harness.serving(harness.COMFY, base) as running, tqdm(total=round(60 * minutes), desc="soak", unit="s") as bar:
        began, warm = time.monotonic(), 0.0
        while (past := time.monotonic() - began) < 60 * minutes:
            try:
                running.run(_work(rng))
            except RuntimeError as error:
                tally.fault(str(error)[:300])
            tally.count += 1
            if not warm and past > WARM * 60 * minutes:
                warm = _megabytes(running.process.pid)
            bar.update(round(past) - bar.n)
        grown = _megabytes(running.process.pid) - warm
    tally.worst_input = f"{grown:+.0f} MB of {warm:.0f} since it was warm"
    if grown > GROWTH:
        tally.fault(tally.worst_input)
    return [tally]


def _work(rng: random.Random) -> dict[str, Any]:
    """Return a workflow that no cache has seen: a mix, drawn under the Lock, read and compared."""
    prompt = {name: {"class_type": kind, "inputs": dict(values)} for name, (kind, values) in PROVIDERS.items()}
    del prompt["SUPSAE_CAPTURE"], prompt["SUPSAE_TABLE"]
    strength = round(rng.uniform(0.2, 1.2), 3)
    prompt["SUPSAE_EDITS"]["inputs"]["strength"] = strength
    asked = {"dictionary": ["SUPSAE_DICTIONARY", 0], "conditioning": ["CONDITIONING", 0]}
    prompt["mixer"] = {"class_type": "SupSAE_ConceptMixer", "inputs": {
        **asked, "mix": f'{{"version": 1, "mix": {{"hair": {{"say": "blue", "strength": {strength}}}}}}}',
    }}  # fmt: skip
    prompt["sampler"] = {"class_type": "KSampler", "inputs": {
        "model": ["SUPSAE_LOCK", 0], "seed": rng.randrange(2**32), "steps": 4, "cfg": 3.0, "sampler_name": "euler",
        "scheduler": "simple", "positive": ["mixer", 0], "negative": ["CONDITIONING", 0], "latent_image": ["LATENT", 0],
        "denoise": 1.0,
    }}  # fmt: skip
    prompt["locked"] = {"class_type": "SupSAE_LockedPicture", "inputs": {
        "latent": ["sampler", 0], "vae": ["VAE", 0], "lock": ["SUPSAE_LOCK", 1], "reach": 1, "soft": True,
    }}  # fmt: skip
    prompt["compared"] = {"class_type": "SupSAE_ComparePictures", "inputs": {
        "before": ["locked", 1], "after": ["locked", 0], "dictionary": ["SUPSAE_DICTIONARY", 0],
    }}  # fmt: skip
    prompt["read"] = {"class_type": "SupSAE_ReadPrompt", "inputs": asked}
    prompt["seen"] = {"class_type": "PreviewAny", "inputs": {"source": ["read", 0]}}
    return prompt


def _megabytes(process: int) -> float:
    """Return what a process holds in memory now."""
    pages = int(Path(f"/proc/{process}/statm").read_text(encoding="utf-8").split()[1])
    return pages * 4096 / 2**20
