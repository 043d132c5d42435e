"""Whether a GPU gives what the CPU gives, and how much sooner: ``python benchmarks/on_gpu.py``; writes
``benchmarks/results/on_gpu.json``. It takes some two minutes on one thread, less than five anywhere.

Portraits is captured, fitted, read, edited and drawn on the CPU and on the GPU in one run, in single precision. Text
encoders and the models of pictures run on the device, and conditionings lie there when they are read and edited;
solving, reading and editing reckon on the CPU by design, so their ratios say what moving rows costs. ``--device cpu``
tries the script where there is no GPU: the CPU against itself, ratios about 1.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
import writing
from torch import Tensor

from supsae.hosts.diffusers import studio
from supsae.hosts.diffusers.transformer import decode_latents, initial_noise, sample_latents
from supsae.hosts.embedded import PortraitsText
from supsae.portraits import captions
from supsae.supsae_core.dictionary.model import Dictionary
from supsae.supsae_core.editing.apply import apply
from supsae.supsae_core.editing.edits import Swap
from supsae.supsae_core.reading.readout import read_conditioning
from supsae.training.capture import CaptureConfig, capture_text, plan_text
from supsae.training.fit import fit_dictionary

PROMPTS, CALIBRATION, READ, DRAWN = 100, 12, 12, 4
SWAPS = ("hair: red", "hat: crown", "expression: smile", "eyewear: glasses")
NEAR = {"rows": 1e-3, "decoders": 2e-2, "edited": 2e-2}
"""What may differ → by how much, ‖a − b‖ / ‖a‖: single precision, summed in another order."""
PIXELS = 2.0
"""Of 255, by which pictures may differ on average."""


class OnDevice(PortraitsText):
    """The embedded encoders on a device; rows come back to the CPU, as a host's do."""

    def encode(self, texts: Sequence[str]) -> tuple[list[Tensor], list[Tensor]]:
        conds, pooled = super().encode(texts)
        return [one.cpu() for one in conds], [one.cpu() for one in pooled]


class Ran(NamedTuple):
    """What one device has made."""

    seconds: dict[str, float]
    dictionary: Dictionary
    rows: list[Tensor]
    read: list[tuple[int, ...]]
    edited: list[Tensor]
    pictures: np.ndarray


def timed(seconds: dict[str, float], name: str, device: torch.device, work: Callable[[], Any]) -> Any:
    """Do something and note its seconds, the device's own work included."""
    began = time.perf_counter()
    made = work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    seconds[name] = round(time.perf_counter() - began, 3)
    return made


def ran(device: torch.device) -> Ran:
    """Capture, fit, read, edit and draw on a device."""
    models = studio.load_studio()
    for one in (models.encoders, models.transformer, models.vae):
        torch.nn.Module.to(one, device)
    host, seconds, table = OnDevice(models.encoders), dict[str, float](), captions.table()
    plan = plan_text(table, host, CaptureConfig(PROMPTS, CALIBRATION), captions.WORDING)
    texts = [entry.prompt.text for entry in plan.entries]
    host.encode(texts[:2])  # the first call loads what all need
    with tempfile.TemporaryDirectory() as folder:
        capture = timed(seconds, "capture", device, lambda: capture_text(host, folder, plan))
        learnt = timed(seconds, "fit", device, lambda: fit_dictionary(capture))
    some = texts[:: max(1, len(texts) // READ)][:READ]
    conds, pooled = host.encode(some)
    here = [one.to(device) for one in conds]
    read_conditioning(learnt, here[0])
    read = timed(seconds, "read", device, lambda: [read_conditioning(learnt, one).concepts(learnt) for one in here])
    swaps = [[Swap(SWAPS[number % len(SWAPS)])] for number in range(len(here))]
    asked = list(zip(here, pooled, swaps, strict=True))
    apply(learnt, *asked[0])
    edited = timed(seconds, "edit", device, lambda: [apply(learnt, *one) for one in asked])
    if any(one.cond.device.type != device.type for one in edited):
        raise SystemExit(f"Rows of {device} came back from an edit on another device.")
    rows = [
        (one.cond, vector if one.pooled is None else one.pooled) for one, vector in zip(edited, pooled, strict=True)
    ]
    draw(models, rows[:1], device, steps=1)
    pictures = timed(seconds, "draw", device, lambda: draw(models, rows[:DRAWN], device))
    return Ran(seconds, learnt, conds, read, [one.cond.cpu() for one in edited], pictures)


def draw(models: studio.Studio, rows: Sequence[tuple[Tensor, Tensor]], device: torch.device, steps: int = 16) -> Any:
    """Draw pictures of conditionings and pooled vectors, one after another, from noise that is the same everywhere."""
    made = []
    for seed, (cond, pooled) in enumerate(rows):
        empty = tuple(one.to(device) for one in studio.negative(models, cond))
        noise = initial_noise([seed]).to(device)
        inputs = (cond[None].to(device), pooled[None].to(device), (empty[0], empty[1]), noise)
        made.append(decode_latents(models.vae, sample_latents(models.transformer, *inputs, steps=steps)))
    return np.concatenate(made)


def apart(ours: Sequence[Tensor], others: Sequence[Tensor]) -> float:
    """Return the largest ‖a − b‖ / ‖a‖ of tensors."""
    return max(float((a - b).norm() / a.norm()) for a, b in zip(ours, others, strict=True))


def compared(cpu: Ran, other: Ran) -> dict[str, Any]:
    """Return how far a device's results are from the CPU's, and whether each is as near as it should be."""
    decoded = [
        [(part.slot_codes.flatten(0, 1) @ part.decoder).cpu() for part in one.dictionary.parts.values()]
        for one in (cpu, other)
    ]
    found = {
        "rows": apart(cpu.rows, other.rows),
        "decoders": apart(*decoded),
        "edited": apart(cpu.edited, other.edited),
    }
    pixels = float(np.abs(cpu.pictures.astype(float) - other.pictures).mean())
    equal = {name: value <= NEAR[name] for name, value in found.items()}
    equal |= {"read": cpu.read == other.read, "pictures": pixels <= PIXELS}
    return {"apart": {**{name: float(f"{value:.2g}") for name, value in found.items()}, "pixels": round(pixels, 3)},
            "as near as they should be": equal}  # fmt: skip


def main() -> int:
    """Parse the command line, run on both, write and print."""
    parser = writing.parser(__file__, __doc__)
    parser.add_argument("--device", default="cuda", help="held against the CPU: cuda (the default), or cpu to try it")
    args = parser.parse_args()
    device = torch.device(args.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        print(
            "There is no GPU here that this torch can use, so nothing was measured and nothing is written. Try the "
            "script itself with --device cpu.",
            file=sys.stderr,
        )
        return 2
    torch.set_num_threads(1)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    cpu, other = ran(torch.device("cpu")), ran(device)
    ratios = {name: round(cpu.seconds[name] / max(other.seconds[name], 1e-6), 2) for name in cpu.seconds}
    result = compared(cpu, other)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "the CPU again: no GPU was measured"
    about = {"device": name, "torch": torch.__version__, "prompts": PROMPTS + 2 * CALIBRATION}
    seconds = {"cpu": cpu.seconds, args.device if device.type == "cuda" else "cpu again": other.seconds}
    writing.write({**about, "seconds": seconds, "times as fast": ratios, **result}, args.out)
    return 0 if all(result["as near as they should be"].values()) else 1


if __name__ == "__main__":
    sys.exit(main())
