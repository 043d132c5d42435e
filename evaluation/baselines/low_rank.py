"""A low-rank adapter in the manner of Concept Sliders: what artists train to change one thing in every picture.

Gandikota et al. (arXiv 2311.12092): for prompts c, v_adapted(x_t, c) learns v(x_t, c) + η (v(x_t, c⁺) − v(x_t, c⁻)).
With c⁻ the prompt as it is, c⁺ its rewrite and η = 1, the target is the rewrite's own velocity: at strength 1 the
adapter imitates writing the word. x_t are steps of guided runs of the rewrite; the empty prompt keeps its velocity, so
that guidance stays what it was. All attention projections are adapted: y = W x + s U D x.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...hosts.diffusers.studio import Studio
from ...supsae_core.files import DamagedError
from ...supsae_core.host import Progress
from ...supsae_core.table.concepts import ConceptTable
from ...supsae_core.table.prompts import Pair, Prompt
from ...supsae_core.tensor_files import TensorFile, write_tensors
from .lessons import Lessons, swapped, taught, velocity

KIND = "supsae.low_rank"


@dataclass(frozen=True)
class LowRankConfig:
    """Settings of an adapter and of its training."""

    rank: int = 4
    runs: int = 128
    """guided runs to learn from"""
    steps: int = 400
    """of Adam"""
    batch: int = 16
    rate: float = 1e-2
    """of Adam, falling to 0 as a cosine"""
    empty: float = 0.25
    """share of a batch that holds the empty prompt"""
    seed: int = 0


@dataclass(frozen=True)
class Adapter:
    """A trained adapter of one concept."""

    concept: str
    """the value it draws, whatever else of its category the prompt says"""
    down: Mapping[str, Tensor]
    """module → D (rank, inputs)"""
    up: Mapping[str, Tensor]
    """module → U (outputs, rank)"""

    def save(self, path: str | Path) -> None:
        """Write one ``.safetensors`` file."""
        tensors = {f"{name}.down": value.contiguous() for name, value in self.down.items()}
        tensors |= {f"{name}.up": value.contiguous() for name, value in self.up.items()}
        write_tensors(Path(path), tensors, {"kind": KIND, "format_version": "1", "concept": self.concept})


def load(path: str | Path) -> Adapter:
    """Read a file written by ``Adapter.save``.

    Raises:
        ValueError: if the file is missing, truncated or of another kind.
    """
    path = Path(path)
    try:
        file = TensorFile(path)
        found, tensors = file.metadata, file.read()
    except FileNotFoundError as error:
        raise ValueError(f"There is no low-rank adapter {path.name!r} in {path.parent}.") from error
    except DamagedError as error:
        raise ValueError(f"The low-rank adapter {path.name!r} {error}.") from error
    if found.get("kind") != KIND:
        raise ValueError(f"{path.name!r} is not a low-rank adapter.")
    down = {key.removesuffix(".down"): value for key, value in tensors.items() if key.endswith(".down")}
    up = {key.removesuffix(".up"): value for key, value in tensors.items() if key.endswith(".up")}
    return Adapter(found["concept"], down, up)


@contextmanager
def adapted(transformer: nn.Module, adapter: Adapter, strength: float) -> Iterator[None]:
    """Attach an adapter to a transformer while the block runs; at strength 0 nothing is attached."""
    handles = []
    try:
        for name in adapter.down if strength else ():
            hook = partial(_add, adapter.down[name], adapter.up[name], strength)
            handles.append(transformer.get_submodule(name).register_forward_hook(hook))
        yield
    finally:
        for handle in handles:
            handle.remove()


def _add(down: Tensor, up: Tensor, strength: float, _: nn.Module, inputs: tuple[Tensor], output: Tensor) -> Tensor:
    return output + strength * F.linear(F.linear(inputs[0].to(down.dtype), down), up).to(output.dtype)


@torch.inference_mode(False)  # ComfyUI runs nodes without gradients
def train(
    studio: Studio,
    table: ConceptTable,
    concept: str,
    prompts: Sequence[Prompt],
    config: LowRankConfig = LowRankConfig(),
    *,
    held_out: Collection[Pair] = (),
    progress: Progress | None = None,
) -> Adapter:
    """Train an adapter that draws ``concept`` where a prompt says another value of its category.

    Args:
        studio: the models; the transformer is left as it was.
        prompts: those that say another value, and have no held-out pair in their rewrite, are learnt from.
        held_out: pairs of concepts that no rewrite may hold.

    Raises:
        ValueError: if no prompt can be learnt from.
    """
    total = config.runs + config.steps
    tell = (lambda done: progress(done, total)) if progress else (lambda done: None)
    swaps = swapped(table, table.index(concept), prompts, held_out)
    lessons = taught(studio, swaps, config.runs, config.seed, tell)
    generator = torch.Generator().manual_seed(config.seed)
    adapter = blank(studio.transformer, concept, config.rank, generator)
    weights = [value.requires_grad_() for half in (adapter.down, adapter.up) for value in half.values()]
    optimiser = torch.optim.Adam(weights, config.rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, config.steps)
    with adapted(studio.transformer, adapter, 1.0):
        for step in range(config.steps):
            optimiser.zero_grad()
            loss(studio.transformer, lessons, config, generator).backward()
            optimiser.step()
            schedule.step()
            tell(config.runs + step + 1)
    for value in weights:
        value.requires_grad_(False)
    return adapter


def blank(transformer: nn.Module, concept: str, rank: int, generator: torch.Generator) -> Adapter:
    """Return an adapter of all attention projections that changes nothing yet."""
    layers = {
        name: module
        for name, module in transformer.named_modules()
        if ".attn." in name and isinstance(module, nn.Linear)
    }
    down = {
        name: torch.randn(rank, layer.in_features, generator=generator) * layer.in_features**-0.5
        for name, layer in layers.items()
    }
    return Adapter(concept, down, {name: torch.zeros(layer.out_features, rank) for name, layer in layers.items()})


def loss(transformer: nn.Module, lessons: Lessons, config: LowRankConfig, generator: torch.Generator) -> Tensor:
    """Return the mean squared error of a batch of steps, the first ones with the empty prompt."""
    runs = torch.randint(len(lessons.x), (config.batch,), generator=generator)
    times = torch.randint(len(lessons.levels), (config.batch,), generator=generator)
    context, vector = lessons.cond[runs], lessons.pooled[runs]
    unsaid = torch.arange(config.batch) < config.empty * config.batch
    context[unsaid], vector[unsaid] = lessons.empty
    made = velocity(transformer, lessons.x[runs, times], context, vector, lessons.levels[times])
    return F.mse_loss(made, lessons.target[unsaid.long(), runs, times])
