"""Processes killed while they write: run again, every job ends as if it had never been cut off, and leaves nothing.

A fork runs the job and dies at its n-th event on a file (an open, a rename, a removal, a folder, a sync), or at a
random time; another fork runs it again. What lies in the folder then is held against an uninterrupted run's.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from tqdm import tqdm

from supsae.evaluation.baselines.paper import PUBLISHED
from supsae.evaluation.pictures.gallery import Gallery, LazyRows, Shot
from supsae.evaluation.pictures.parts import Size
from supsae.evaluation.pictures.renderer import diffusers_renderer
from supsae.evaluation.pictures.run import EvalConfig
from supsae.evaluation.pictures.run import run as judge
from supsae.evaluation.report.files import write
from supsae.evaluation.reproduction import painters
from supsae.evaluation.reproduction.asked import ReproduceConfig
from supsae.evaluation.reproduction.run import run as reproduce
from supsae.evaluation.results import Hooks
from supsae.hosts.diffusers import studio
from supsae.portraits import captions
from supsae.portraits.make.optimise import optimise
from supsae.portraits.paths import DICTIONARY
from supsae.supsae_core.capture.merging import merge_captures
from supsae.supsae_core.dictionary.file import load_dictionary, save_dictionary
from supsae.supsae_core.files import LOCKED, PART, alone_in
from supsae.supsae_core.lock import LockConfig
from supsae.supsae_core.tensor_files import TensorFile
from supsae.training import capture, recording
from supsae.training.fit_once import fit_once

from .faults import Tally
from .files import same
from .world import PROMPT, TortureWorld

EVENTS = {"open", "os.rename", "os.remove", "os.mkdir", "os.chmod", "os.listdir", "os.truncate"}
"""What Python tells of the use of files; syncs are counted beside them."""
ENDED = 0
ROUNDING = 1.0
"""Mean difference of two pictures' bytes that is none."""


class Job(NamedTuple):
    """Something long that writes in a folder."""

    name: str
    run: Callable[[Path], object]
    share: float
    """of all kills"""


def jobs(world: TortureWorld) -> list[Job]:
    """Return every kind of long job; what they share is made beforehand, so that forks only write."""
    one, other, dictionary = world.text_capture, world.other_capture, world.dictionary
    plan, blocks = world.plan(130), world.blocks_plan(24)
    capture.capture_text(world.host, world.folder / "remembered", plan)
    host, pictures = world.host, world.pictures
    models = studio.quickened(studio.load_studio())
    renderer = diffusers_renderer(models)
    (cond,), (pooled,) = models.host.encode([PROMPT])
    painter, silent = painters.portraits(), Hooks(lambda text: None, lambda name, most: lambda done: None)
    shots = [Shot(LazyRows(PROMPT, lambda: (cond, pooled)), seed) for seed in range(3)]

    def fitted(folder: Path) -> None:
        target = folder / "capture"
        if not target.exists():
            shutil.copytree(one.folder, folder / "copy", dirs_exist_ok=True)
            (folder / "copy").rename(target)
        fit_once(capture.start_capture(target, one.plan))

    def drawn(folder: Path) -> None:
        with alone_in(folder):
            Gallery(renderer, folder / "pictures", LockConfig()).draw(shots)

    def judged(folder: Path) -> None:
        config = EvalConfig(seed=1, parts=("removal",), own_counts=Size(removal=2))
        write(judge(load_dictionary(DICTIONARY), renderer, folder, config, silent, models.host), folder)

    def repeated(folder: Path) -> None:
        config = ReproduceConfig(prompts=40, calibration=4, swaps=1, qualifying=1)
        reproduce(painter, captions.table(), config, replace(PUBLISHED, epochs=2), folder, silent)

    def trained(folder: Path) -> None:
        torch.manual_seed(0)
        optimise(torch.nn.Linear(8, 4), _loss, name="tiny", steps=40, rate=1e-2, work=folder, every=4)

    return [
        Job("capture", lambda folder: capture.capture_text(host, folder / "c", plan), 0.28),
        Job("record", lambda folder: recording.capture_activations(host, pictures, folder / "c", blocks), 0.2),
        Job("merge", lambda folder: merge_captures(one, other, folder / "c"), 0.25),
        Job("save a dictionary", lambda folder: save_dictionary(dictionary, folder / "d.safetensors"), 0.15),
        Job("fit", fitted, 0.02),
        Job("draw pictures", drawn, 0.02),
        Job("evaluate", judged, 0.02),
        Job("reproduce", repeated, 0.02),
        Job("train Portraits", trained, 0.04),
    ]


def _loss(module: torch.nn.Module, rng: np.random.Generator) -> torch.Tensor:
    rows = torch.from_numpy(rng.standard_normal((16, 8), np.float32))
    return (module(rows) - rows[:, :4]).square().mean()


def torture_kills(world: TortureWorld, kills: int, seed: int) -> list[Tally]:
    """Kill every job, first at every event on a file in turn, then at random times."""
    rows, rng = list[Tally](), random.Random(seed)
    counts = {job: round(kills * job.share) for job in jobs(world)}
    with tqdm(total=sum(counts.values()), desc="kills", unit="kill") as bar:
        for job, count in counts.items():
            if not count:
                continue
            tally = Tally(f"killed: {job.name}")
            rows.append(tally)
            whole = world.folder / "whole"
            shutil.rmtree(whole, ignore_errors=True)
            began = time.monotonic()
            code, events = _fork(job, whole, count=True)
            seconds = time.monotonic() - began
            if code != ENDED:
                tally.fault(f"the job itself failed with {code}")
                continue
            wanted = _content(whole)
            for one in range(count):
                at = _point(one, count, events, rng)
                _kill_once(job, world.folder / "killed", at, rng.uniform(0, seconds), tally, wanted)
                bar.update()
    return rows


def _point(one: int, count: int, events: int, rng: random.Random) -> int | None:
    """Return the event to die at, None for a random time: events take two thirds, all of them if there are so many."""
    exhaustive = 2 * count // 3
    if one >= exhaustive:
        return None
    return one if events <= exhaustive else rng.randrange(events)


def _kill_once(job: Job, folder: Path, at: int | None, delay: float, tally: Tally, wanted: dict[str, Any]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    said = f"at event {at}" if at is not None else f"after {delay:.2f} s"
    tally.count += 1
    _fork(job, folder, die_at=at, delay=None if at is not None else delay)
    began = time.monotonic()
    code, _ = _fork(job, folder)
    took = time.monotonic() - began
    if took > tally.worst_seconds:
        tally.worst_seconds, tally.worst_input = took, f"run again when killed {said}"
    if code != ENDED:
        tally.fault(f"killed {said}: run again it ends with {code}")
    elif (found := _content(folder)).keys() != wanted.keys():
        tally.fault(f"killed {said}: files differ: {sorted(found.keys() ^ wanted.keys())[:5]}")
    elif different := [name for name in wanted if not _alike(found[name], wanted[name])]:
        tally.fault(f"killed {said}: other content in {different[:5]}")


def _content(folder: Path) -> dict[str, Any]:
    """Return file → what is in it; leftovers count as files."""
    found: dict[str, Any] = {}
    for file in sorted(folder.rglob("*")):
        name = file.relative_to(folder).as_posix()
        if file.is_dir() or file.name == LOCKED:
            continue
        if file.suffix == ".safetensors" and not file.name.startswith(PART):
            found[_stable(name)] = TensorFile(file).read()
        elif file.name == "results.json":
            found[name] = {key: one for key, one in json.loads(file.read_text()).items() if key != "seconds"}
        elif file.name == "report.html":
            found[name] = True  # it tells the seconds that the run took
        elif file.suffix == ".png":
            found[name] = np.asarray(Image.open(file))
        else:
            found[name] = file.read_bytes()
    return found


def _alike(found: Any, wanted: Any) -> bool:
    """Compare what files hold: pictures up to rounding, for a batch that is gone on with has another size."""
    if isinstance(wanted, np.ndarray):
        return found.shape == wanted.shape and float(np.abs(found.astype(float) - wanted).mean()) < ROUNDING
    return same(found, wanted)


def _stable(name: str) -> str:
    """Return a name without what depends on when it was written: fits are named after the times of their captures."""
    return "fits/fit" if "/fits/" in name or name.startswith("fits/") else name


def _fork(
    job: Job, folder: Path, *, die_at: int | None = None, delay: float | None = None, count: bool = False
) -> tuple[int, int]:
    """Run a job in a fork; return how it ended, and with ``count`` at how many events on files it could have died."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        _in_child(job, folder, die_at, write if count else None)
    os.close(write)
    if delay is not None:
        time.sleep(delay)
        os.kill(child, signal.SIGKILL)
    said = b""
    while piece := os.read(read, 64):
        said += piece
    os.close(read)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), int(said or b"0")


def _in_child(job: Job, folder: Path, die_at: int | None, count_to: int | None) -> None:
    """Run the job and end the process, in whatever way."""
    code, seen = 1, 0
    root = str(folder)

    def event() -> None:
        nonlocal seen
        if seen == die_at:
            os.kill(os.getpid(), signal.SIGKILL)
        seen += 1

    def hear(name: str, args: tuple[Any, ...]) -> None:
        if name in EVENTS and args and str(args[0]).startswith(root):
            event()

    sync = os.fsync

    def synced(file: int) -> None:
        event()
        sync(file)

    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 2)
        sys.addaudithook(hear)
        os.fsync = synced
        job.run(folder)
        if count_to is not None:
            os.write(count_to, str(seen).encode())
        code = ENDED
    finally:
        os._exit(code)
