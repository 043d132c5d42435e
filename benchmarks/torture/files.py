"""Damaged files: whatever is done to one, it is refused in a sentence, or does exactly what the whole one does."""

from __future__ import annotations

import json
import random
import shutil
import struct
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from tqdm import tqdm

from supsae.supsae_core.capture.activations import load_activations
from supsae.supsae_core.capture.captures import load_capture
from supsae.supsae_core.dictionary.file import load_dictionary, save_dictionary
from supsae.supsae_core.editing.apply import apply
from supsae.supsae_core.editing.edits import Remove, Swap
from supsae.supsae_core.files import HASH
from supsae.supsae_core.reading.readout import read_conditioning

from .faults import Tally
from .world import TortureWorld

HOSTILE = (None, True, -1, 0, 10**30, 1e308, 0.5, "", "x", "\x00", [], {}, [[]], [-1], {"a": None}, "nan", "é" * 50)
"""What is written where something else belongs."""


class Subject(NamedTuple):
    """A file, and all that is made of it."""

    name: str
    file: Path
    use: Callable[[Path], Any]
    """file → tensors and texts that it leads to"""
    whole: Path
    """folder that is copied: the file may have neighbours"""


def subjects(world: TortureWorld) -> list[Subject]:
    """Return every kind of file of ours."""
    dictionary = world.folder / "dictionary" / "d.safetensors"
    save_dictionary(world.dictionary, dictionary)
    text, blocks = world.text_capture.folder, world.blocks_capture.folder

    def edited(file: Path) -> Any:
        return _edited(world, file)

    return [
        Subject("dictionary", dictionary, edited, dictionary.parent),
        Subject("capture.json", text / "capture.json", _captured, text),
        Subject("shard of a capture", text / "shard-00001.safetensors", _captured, text),
        Subject("activations", sorted(blocks.glob("activations-*"))[0], _recorded, blocks),
        Subject("capture.json with activations", blocks / "capture.json", _recorded, blocks),
    ]


def _edited(world: TortureWorld, file: Path) -> Any:
    dictionary = load_dictionary(file)
    cond, pooled = world.prompt
    reading = read_conditioning(dictionary, cond)
    concepts = list(map(str, dictionary.table.concepts))
    found: list[Any] = [concepts, reading.concepts(dictionary)]
    for edits in (
        [Swap(concepts[1])],
        [Remove(concepts[0])],
        [Swap(concepts[-1], strength=1.2)],
        [Swap(concepts[2], strength=0.5)],
    ):
        made = apply(dictionary, cond, pooled, edits, reading)
        found += [made.cond, made.pooled]
    return found


def _captured(file: Path) -> Any:
    capture = load_capture(file.parent)
    return [capture.plan, *((one.entry, one.cond, one.pooled) for one in capture.read())]


def _recorded(file: Path) -> Any:
    capture = load_capture(file.parent)
    found = load_activations(capture)
    plan = found.plan
    sums = [vars(one) for name in plan.sampling.parts(plan.family) for one in found.sums(name)]
    kept = [index for index, entry in enumerate(plan.entries) if entry.set != "fit"]
    return [plan, found.missing, sums, [found.rows(index, site) for index in kept for site in plan.sampling.sites]]


def torture_files(world: TortureWorld, inputs: int, seed: int) -> list[Tally]:
    """Damage every kind of file ``inputs`` times in all, a tenth of them as written by older software: unhashed."""
    rows = []
    found = subjects(world)
    with tqdm(total=inputs // len(found) * len(found), desc="files", unit="file") as bar:
        for number, subject in enumerate(found):
            tally = Tally(f"damaged {subject.name}")
            rows.append(tally)
            wanted, content = subject.use(subject.file), subject.file.read_bytes()
            place = world.folder / "damaged"
            shutil.copytree(subject.whole, place, dirs_exist_ok=True)
            file = place / subject.file.name
            for one in range(inputs // len(found)):
                rng = random.Random(f"{seed}-{number}-{one}")
                how, changed, hashed = damaged(content, rng)
                file.write_bytes(changed)
                attempt = tally.attempt(f"{how} (seed {seed}, file {number}, input {one})", partial(subject.use, file))
                if attempt.result is not None and hashed and not same(attempt.result, wanted):
                    tally.fault(f"{how}: accepted, and does something else")
                elif attempt.result is not None and not all_finite(attempt.result):
                    tally.fault(f"{how}: accepted, and gives numbers that are none")
                bar.update()
            shutil.rmtree(place)
    return rows


def same(one: Any, other: Any) -> bool:
    """Compare nested tensors and texts to the bit."""
    if isinstance(one, torch.Tensor):
        return isinstance(other, torch.Tensor) and torch.equal(one, other)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


def all_finite(found: Any) -> bool:
    """Tell whether every number of nested tensors is one."""
    if isinstance(found, torch.Tensor):
        return bool(found.isfinite().all())
    if isinstance(found, dict):
        return all(map(all_finite, found.values()))
    return all(map(all_finite, found)) if isinstance(found, (list, tuple)) else True


# --- damage --------------------------------------------------------------------------------------------------------


def damaged(content: bytes, rng: random.Random) -> tuple[str, bytes, bool]:
    """Return what was done, what came of it, and whether the file still says what it should hold."""
    kind = rng.choice(["bit", "bit", "cut", "longer", "zeros", "moved", "header", "header", "header", "older"])
    if kind in ("header", "older"):
        return _rewritten(content, rng, keep_hash=kind == "header")
    made = bytearray(content)
    at = rng.randrange(len(made))
    if kind == "bit":
        made[at] ^= 1 << rng.randrange(8)
    elif kind == "cut":
        del made[at:]
    elif kind == "longer":
        made += rng.randbytes(rng.randrange(1, 64))
    elif kind == "zeros":
        made[at : at + 64] = bytes(len(made[at : at + 64]))
    else:
        a, b = sorted(rng.randrange(len(made)) for _ in range(2))
        made[a:b] = made[a:b][::-1]
    return f"{kind} at {at} of {len(content)}", bytes(made), True


def _rewritten(content: bytes, rng: random.Random, keep_hash: bool) -> tuple[str, bytes, bool]:
    """Change one value of the JSON, of a file that is JSON or of a header, with all lengths as they should be."""
    if content[:1] == b"{":
        data = json.loads(content)
        if not keep_hash:
            data.pop(HASH, None)
        how = _changed(data, rng)
        return how, json.dumps(data).encode(), keep_hash
    (length,) = struct.unpack("<Q", content[:8])
    data, rest = json.loads(content[8 : 8 + length]), content[8 + length :]
    notes = data.get("__metadata__", {})
    if not keep_hash:
        notes.pop(HASH, None)
    if "header" in notes and rng.random() < 0.6:
        inner = json.loads(notes["header"])
        how = _changed(inner, rng)
        notes["header"] = json.dumps(inner)
    else:
        how = _changed(data, rng)
    header = json.dumps(data).encode()
    return how, struct.pack("<Q", len(header)) + header + rest, keep_hash


def _changed(data: Any, rng: random.Random) -> str:
    """Replace, remove, double or rename one member, at any depth; return what was done."""
    path, at = [], data
    while True:
        keys = list(at) if isinstance(at, dict) else list(range(len(at)))
        if not keys:
            return f"{path}: left, since it is empty"
        key = rng.choice(keys)
        path.append(key)
        if not isinstance(at[key], (dict, list)) or not at[key] or rng.random() < 0.3:
            break
        at = at[key]
    kind = rng.choice(["replaced", "replaced", "replaced", "removed", "doubled", "wrapped"])
    if kind == "removed":
        del at[key]
    elif kind == "doubled" and isinstance(at, list):
        at.insert(key, at[key])
    elif kind == "wrapped":
        at[key] = [at[key]]
    else:
        at[key] = rng.choice(HOSTILE)
    return f"{kind} {'/'.join(map(str, path))[:80]}"
