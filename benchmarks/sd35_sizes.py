"""What this pack costs in a model of SD3.5's size: ``python benchmarks/sd35_sizes.py``; random weights, a real ComfyUI.

Reports the seconds spent in our own code as a share of all the rest of sampling, for edits on a model and for a capture
of blocks, and the memory that an edit's steps take as a share of the model's. Our code is timed where ComfyUI enters
it: in our wrappers less what they call, and in our taps on the blocks. Writes ``benchmarks/results/sd35_sizes.json``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from supsae.supsae_core.table.parsing import table_from_mapping

HOST = Path(__file__).resolve().parents[1] / "tests" / "hosts" / "comfyui"
OUT = Path(__file__).with_name("results") / "sd35_sizes.json"
TABLE = {"hair": ["blond", "red", "black"], "weather": ["rain", "snow", "fog"], "dress": ["suit", "robe", "armour"]}
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

    def timed(self, function: Callable) -> Callable:
        """Return a function whose seconds count."""

        def run(*args, **kwargs):
            began = self.now()
            try:
                return function(*args, **kwargs)
            finally:
                self.seconds += self.now() - began

        return run

    def paused(self, function: Callable) -> Callable:
        """Return a function whose seconds do not count although it is called from ours."""

        def run(*args, **kwargs):
            began = self.now()
            try:
                return function(*args, **kwargs)
            finally:
                self.seconds -= self.now() - began

        return run


@contextmanager
def replaced(owner, name: str, value) -> Iterator[None]:
    """Put another function in a module's or class's place for a while."""
    old = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, old)


def inside(args: argparse.Namespace) -> None:
    """Measure, in ComfyUI's interpreter."""
    import sd3_text
    import sd35_shapes
    import torch

    from supsae.hosts.comfyui import conditionings, recording, sampling, steering, steering_run
    from supsae.hosts.comfyui.text import ComfyText
    from supsae.supsae_core.editing.edits import Swap
    from supsae.supsae_core.editing.steer import Where
    from supsae.supsae_core.encoders.sites import parse_sites
    from supsae.training import capture, fit
    from supsae.training.capture import CaptureConfig
    from supsae.training.recorder import BatchRecorder
    from supsae.training.recording import SamplingConfig, plan_activations

    torch.manual_seed(0)
    clip = sd3_text.clip()
    host = ComfyText(clip)
    phrases = {"hair": "{} hair", "weather": "in heavy {}", "dress": "wearing {}"}
    article = {"suit": "a suit", "robe": "a robe", "armour": "armour"}
    table = table_from_mapping(
        {name: {one: [phrases[name].format(article.get(one, one))] for one in some} for name, some in TABLE.items()}
    )
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        drawn = CaptureConfig(prompts=60, calibration=8)
        learnt = fit.fit_dictionary(
            capture.capture_text(host, Path(folder) / "text", capture.plan_text(table, host, drawn, host.wording))
        )
        size = sd35_shapes.MEDIUM if args.depth is None else {**sd35_shapes.MEDIUM, "depth": args.depth}
        gpu = torch.cuda.is_available()
        model = sd35_shapes.build(**size, dtype=torch.bfloat16 if gpu else torch.float32)
        device = model.load_device
        encode = lambda text: clip.encode_from_tokens_scheduled(clip.tokenize(text))  # noqa: E731
        positive, negative = encode(PROMPT), encode("")
        assert conditionings.edit(positive, learnt, [Swap("hair: red")])[0][0][0] is not positive[0][0]
        noise = sampling.noise_of(sampling.empty_latent(args.pixels, args.pixels), 0)
        how = sampling.SamplerSettings(args.steps, 4.5)

        def apply(sites: str) -> dict[str, float]:
            clock = Clock(device)
            wrappers = {kind: ours(clock, wrapper) for kind, wrapper in steering.WRAPPERS.items()}
            with replaced(steering, "WRAPPERS", wrappers), replaced(steering, "tapped", tapped(clock, steering.tapped)):
                where = Where(parse_sites(sites))
                steered = steering.apply_to_model(model, steering_run.Steering(learnt, (Swap("hair: red"),), where))
                began = clock.now()
                sampling.sample(steered, positive, negative, noise, how, 0)
                whole = clock.now() - began
            return {
                "share": clock.seconds / (whole - clock.seconds),
                "step_seconds": (whole - clock.seconds) / args.steps,
            }

        def recorded(sites: str) -> dict[str, float]:
            clock = Clock(device)
            pictures = recording.ComfyPictures(model, host)
            config = SamplingConfig(
                parse_sites(sites), args.steps, 4.5, args.pixels, args.pixels, buckets=min(4, args.steps)
            )
            planned = plan_activations(
                table, host, pictures, CaptureConfig(prompts=10, calibration=4), config, host.wording
            )
            made = capture.capture_text(host, Path(folder) / sites.replace(", ", "_"), planned)
            listening = BatchRecorder(planned, made.pick([0]))
            with replaced(recording.transformer, "tapped", tapped(clock, recording.transformer.tapped)):
                listening.step = clock.timed(listening.step)
                began = clock.now()
                rows = [(row.cond, row.pooled) for row in made.pick([0])]
                pictures.sample(rows, [0], planned.sampling, listening)
                clock.timed(listening.recorded)()
                whole = clock.now() - began
            return {
                "share": clock.seconds / (whole - clock.seconds),
                "step_seconds": (whole - clock.seconds) / args.steps,
            }

        small = sampling.noise_of(sampling.empty_latent(64, 64), 0)
        sampling.sample(model, positive, negative, small, how._replace(steps=1), 0)  # loads the model
        depth = len(model.model.diffusion_model.joint_blocks)
        steps_bytes = sum(one.numel() * 4 for one in (positive[0][0], positive[0][1]["pooled_output"]))
        found = {
            "model": {**size, "parameters": sum(one.numel() for one in model.model.diffusion_model.parameters())},
            "device": torch.cuda.get_device_name(device)
            if device.type == "cuda"
            else f"CPU, {torch.get_num_threads()} threads",
            "pixels": args.pixels,
            "steps": args.steps,
            "apply": {sites: apply(sites) for sites in ("cond, pooled", "txt@0, pooled")},
            "capture": {sites: recorded(sites) for sites in ("txt@1", f"txt@1-{depth - 1}, img@{depth // 2}")},
            "apply_memory": steps_bytes / model.model_size(),
        }
    print("RESULT " + json.dumps(found))


def ours(clock: Clock, wrapper: Callable) -> Callable:
    """Time one of our wrappers, less what it calls."""

    def run(executor, *args, **kwargs):
        return wrapper(_Paused(executor, clock), *args, **kwargs)

    return clock.timed(run)


class _Paused:
    """An executor whose seconds are not ours."""

    def __init__(self, executor, clock: Clock) -> None:
        self.class_obj, self._run = executor.class_obj, clock.paused(executor)

    def __call__(self, *args, **kwargs):
        return self._run(*args, **kwargs)


def tapped(clock: Clock, install: Callable) -> Callable:
    """Time our taps, and how they are put on."""

    def run(options, taps):
        sides = ({block: clock.timed(tap) for block, tap in side.items()} for side in taps)
        return clock.timed(install)(options, type(taps)(*sides))

    return run


def main() -> None:
    """Parse the command line; outside ComfyUI, start again inside it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pixels", type=int, default=512, help="side of the picture; 1024 on a graphics card")
    parser.add_argument("--steps", type=int, default=4, help="a step takes minutes on a CPU")
    parser.add_argument("--depth", type=int, help="fewer blocks than SD3.5-Medium's 24")
    parser.add_argument("--out", type=Path, default=OUT)
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
        done = subprocess.run(
            command, cwd=conftest.COMFY.path, env=conftest.environment(), stdout=subprocess.PIPE, text=True, check=True
        )
    (line,) = [one.removeprefix("RESULT ") for one in done.stdout.splitlines() if one.startswith("RESULT ")]
    args.out.parent.mkdir(parents=True, exist_ok=True)
    there = json.loads(args.out.read_text(encoding="utf-8")) if args.out.exists() else {}
    found = json.loads(line)
    there[f"{found['device']}, {args.pixels} px"] = found
    args.out.write_text(json.dumps(there, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1))
    print(f"wrote {args.out}")


if __name__ == "__main__":
    main()
