"""What this pack costs in a model of SD3.5's size: ``python benchmarks/sd35_sizes.py``; random weights, a real ComfyUI.

Reports the seconds spent in our own code as a share of all the rest of sampling, for edits on a model and for a capture
of blocks, and the memory that an edit's steps take as a share of the model's. Our code is timed where ComfyUI enters
it: in our wrappers less what they call, and in our taps on the blocks. Writes ``benchmarks/results/sd35_sizes.json``.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from supsae.supsae_core.dictionary.model import Dictionary
from supsae.supsae_core.table.concepts import ConceptTable
from supsae.supsae_core.table.parsing import table_from_mapping

HOST = Path(__file__).resolve().parents[1] / "tests" / "hosts" / "comfyui"
TABLE = {
    "hair": {one: [f"{one} hair"] for one in ("blond", "red", "black")},
    "weather": {one: [f"in heavy {one}"] for one in ("rain", "snow", "fog")},
    "dress": {"suit": ["wearing a suit"], "robe": ["wearing a robe"], "armour": ["wearing armour"]},
}
PROMPT = "a photo of a person, blond hair, in heavy snow, wearing a suit"


class Clock:
    """Adds up the seconds between entering and leaving our code; what it calls can be taken out again."""

    def __init__(self, device) -> None:
        self.seconds, self._device = 0.0, device

    def now(self) -> float:
        import torch

        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        return time.perf_counter()

    def timed(self, function: Callable, sign: int = 1) -> Callable:
        """Return a function whose seconds count; of a negative sign, one that ours calls and whose do not."""

        def run(*args, **kwargs):
            began = self.now()
            try:
                return function(*args, **kwargs)
            finally:
                self.seconds += sign * (self.now() - began)

        return run

    def shares(self, whole: float, steps: int) -> dict[str, float]:
        """Return our seconds as a share of the rest of the whole, and what a step of the rest takes."""
        rest = whole - self.seconds
        return {"share": self.seconds / rest, "step_seconds": rest / steps}


@contextmanager
def replaced(owner, name: str, value) -> Iterator[None]:
    """Put another function in a module's or class's place for a while."""
    old = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, old)


class World(NamedTuple):
    """What is measured, in ComfyUI's interpreter."""

    args: argparse.Namespace
    folder: Path
    table: ConceptTable
    host: Any
    """SD3's text encoders"""
    learnt: Dictionary
    model: Any
    positive: Any
    negative: Any

    def sample(self, model, pixels: int, steps: int) -> None:
        """Sample a picture."""
        from supsae.hosts.comfyui import sampling

        noise = sampling.noise_of(sampling.empty_latent(pixels, pixels), 0)
        sampling.sample(model, self.positive, self.negative, noise, sampling.SamplerSettings(steps, 4.5), 0)


def inside(args: argparse.Namespace) -> None:
    """Measure."""
    import sd35_shapes
    import torch

    torch.manual_seed(0)
    size = {**sd35_shapes.MEDIUM, **({} if args.depth is None else {"depth": args.depth})}
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        world = prepared(args, Path(folder), size)
        world.sample(world.model, 64, 1)  # loads the model
        network, device = world.model.model.diffusion_model, world.model.load_device
        depth, (rows, others) = len(network.joint_blocks), world.positive[0]
        steps_bytes = 4 * (rows.numel() + others["pooled_output"].numel())
        cpu = f"CPU, {torch.get_num_threads()} threads"
        found = {
            "model": {**size, "parameters": sum(one.numel() for one in network.parameters())},
            "device": torch.cuda.get_device_name(device) if device.type == "cuda" else cpu,
            "pixels": args.pixels,
            "steps": args.steps,
            "apply": {sites: applied(world, sites) for sites in ("cond, pooled", "txt@0, pooled")},
            "capture": {sites: recorded(world, sites) for sites in ("txt@1", f"txt@1-{depth - 1}, img@{depth // 2}")},
            "apply_memory": steps_bytes / world.model.model_size(),
        }
    print("RESULT " + json.dumps(found))


def prepared(args: argparse.Namespace, folder: Path, size: dict[str, int]) -> World:
    """Fit a dictionary, and build the model."""
    import sd3_text
    import sd35_shapes
    import torch

    from supsae.hosts.comfyui import conditionings
    from supsae.hosts.comfyui.text import ComfyText
    from supsae.supsae_core.editing.edits import Swap
    from supsae.training import capture, fit
    from supsae.training.capture import CaptureConfig

    clip, table = sd3_text.clip(), table_from_mapping(TABLE)
    host = ComfyText(clip)
    plan = capture.plan_text(table, host, CaptureConfig(prompts=60, calibration=8), host.wording)
    learnt = fit.fit_dictionary(capture.capture_text(host, folder / "text", plan))
    model = sd35_shapes.build(**size, dtype=torch.bfloat16 if torch.cuda.is_available() else torch.float32)
    positive, negative = (clip.encode_from_tokens_scheduled(clip.tokenize(text)) for text in (PROMPT, ""))
    assert conditionings.edit(positive, learnt, [Swap("hair: red")])[0][0][0] is not positive[0][0]
    return World(args, folder, table, host, learnt, model, positive, negative)


def applied(world: World, sites: str) -> dict[str, float]:
    """Measure an edit while a picture is sampled."""
    from supsae.hosts.comfyui import steering, steering_run
    from supsae.supsae_core.editing.edits import Swap
    from supsae.supsae_core.editing.steer import Where
    from supsae.supsae_core.encoders.sites import parse_sites

    clock = Clock(world.model.load_device)
    wrappers = {kind: ours(clock, wrapper) for kind, wrapper in steering.WRAPPERS.items()}
    with replaced(steering, "WRAPPERS", wrappers), replaced(steering, "tapped", tapped(clock, steering.tapped)):
        swap = steering_run.Steering(world.learnt, (Swap("hair: red"),), Where(parse_sites(sites)))
        steered, began = steering.apply_to_model(world.model, swap), clock.now()
        world.sample(steered, world.args.pixels, world.args.steps)
        return clock.shares(clock.now() - began, world.args.steps)


def recorded(world: World, sites: str) -> dict[str, float]:
    """Measure what recording a picture costs."""
    from supsae.hosts.comfyui import recording
    from supsae.supsae_core.encoders.sites import parse_sites
    from supsae.training import capture
    from supsae.training.capture import CaptureConfig
    from supsae.training.recorder import BatchRecorder
    from supsae.training.recording import SamplingConfig, plan_activations

    clock, args = Clock(world.model.load_device), world.args
    pictures = recording.ComfyPictures(world.model, world.host)
    config = SamplingConfig(parse_sites(sites), args.steps, 4.5, args.pixels, args.pixels, buckets=min(4, args.steps))
    drawn = CaptureConfig(prompts=10, calibration=4)
    plan = plan_activations(world.table, world.host, pictures, drawn, config, world.host.wording)
    made = capture.capture_text(world.host, world.folder / sites.replace(", ", "_"), plan)
    listening = BatchRecorder(plan, made.pick([0]))
    with replaced(recording.transformer, "tapped", tapped(clock, recording.transformer.tapped)):
        listening.step = clock.timed(listening.step)
        began = clock.now()
        rows = [(row.cond, row.pooled) for row in made.pick([0])]
        pictures.sample(rows, [0], plan.sampling, listening)
        clock.timed(listening.recorded)()
        return clock.shares(clock.now() - began, args.steps)


def ours(clock: Clock, wrapper: Callable) -> Callable:
    """Time one of our wrappers, less what it calls."""

    def run(executor, *args, **kwargs):
        return wrapper(_Paused(executor, clock), *args, **kwargs)

    return clock.timed(run)


class _Paused:
    """An executor whose seconds are not ours."""

    def __init__(self, executor, clock: Clock) -> None:
        self.class_obj, self._run = executor.class_obj, clock.timed(executor, -1)

    def __call__(self, *args, **kwargs):
        return self._run(*args, **kwargs)


def tapped(clock: Clock, install: Callable) -> Callable:
    """Time our taps, and how they are put on."""

    def timed(side):
        return {block: clock.timed(tap) for block, tap in side.items()}

    def run(options, taps):
        return clock.timed(install)(options, taps._replace(enter=timed(taps.enter), leave=timed(taps.leave)))

    return run


def main() -> None:
    """Parse the command line; outside ComfyUI, start again inside it."""
    sys.path.append(str(Path(__file__).parent))  # inside ComfyUI it is not there
    import writing

    parser = writing.parser(__file__, __doc__)
    parser.add_argument("--pixels", type=int, default=512, help="side of the picture; 1024 on a graphics card")
    parser.add_argument("--steps", type=int, default=4, help="a step takes minutes on a CPU")
    parser.add_argument("--depth", type=int, help="fewer blocks than SD3.5-Medium's 24")
    args = parser.parse_args()
    if "comfy" in sys.modules:
        inside(args)
        return
    sys.path.insert(0, str(HOST))
    import conftest

    if isinstance(conftest.COMFY, str):
        sys.exit(conftest.COMFY)
    with tempfile.TemporaryDirectory() as base:
        command = [conftest.COMFY.python, HOST / "in_comfyui.py", base, Path(__file__).resolve(), *sys.argv[1:]]
        how = {"env": conftest.environment(), "stdout": subprocess.PIPE, "text": True, "check": True}
        done = subprocess.run(command, cwd=conftest.COMFY.path, **how)
    (line,) = [one.removeprefix("RESULT ") for one in done.stdout.splitlines() if one.startswith("RESULT ")]
    there = json.loads(args.out.read_text(encoding="utf-8")) if args.out.exists() else {}
    found = json.loads(line)
    writing.write({**there, f"{found['device']}, {args.pixels} px": found}, args.out)


if __name__ == "__main__":
    main()
