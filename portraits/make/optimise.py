"""The training loop of Portraits: AdamW with a moving average, resumable from safetensors checkpoints."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import trange

from ...supsae_core.files import write_text
from ...supsae_core.tensor_files import TensorFile, write_tensors

Loss = Callable[[nn.Module, np.random.Generator], Tensor]


def optimise(
    module: nn.Module,
    loss: Loss,
    *,
    name: str,
    steps: int,
    rate: float,
    work: Path,
    ema: float = 0.999,
    every: int = 250,
) -> nn.Module:
    """Minimise ``loss`` by AdamW with warm-up and cosine decay; return the exponential moving average of the module.

    Continues from ``work/name.safetensors`` if that is there. Every step draws from its own seed, so an interrupted run
    and an uninterrupted one see the same data and end alike.

    Args:
        every: steps between two checkpoints, each of which has its line in ``work/name.log``.
    """
    optimiser = torch.optim.AdamW(
        [p for p in module.parameters() if p.requires_grad], rate, (0.9, 0.99), weight_decay=0.01
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, partial(_share_of_rate, steps))
    average = AveragedModel(module, multi_avg_fn=get_ema_multi_avg_fn(ema), use_buffers=True)
    file = work / f"{name}.safetensors"
    start, losses = _resume(file, module, average, optimiser, schedule)
    bar = trange(start, steps, desc=name, initial=start, total=steps, mininterval=5)
    shown = losses[-1]["loss"] if losses else None
    for step in bar:
        value = loss(module, np.random.default_rng((step, len(name))))
        optimiser.zero_grad(set_to_none=True)
        value.backward()
        nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        average.update_parameters(module)
        shown = value.item() if shown is None else 0.98 * shown + 0.02 * value.item()
        bar.set_postfix(loss=f"{shown:.4f}", refresh=False)
        if (step + 1) % every == 0 or step + 1 == steps:
            losses.append({"step": step + 1, "loss": shown})
            _checkpoint(file, losses, module, average, optimiser)
    write_text(work / f"{name}.log", "".join(json.dumps(one) + "\n" for one in losses))
    return average.module


def _share_of_rate(steps: int, step: int) -> float:
    """Return the share of the rate at a step: a linear warm-up, then half a cosine down to a hundredth."""
    warm = min(300, steps // 10 + 1)
    return min(1.0, (step + 1) / warm) * 0.5 * (1.02 + 0.98 * np.cos(np.pi * min(step, steps) / steps))


def _checkpoint(
    file: Path, losses: list[dict[str, Any]], module: nn.Module, average: AveragedModel,
    optimiser: torch.optim.Optimizer,
) -> None:  # fmt: skip
    tensors = {f"now.{k}": v for k, v in module.state_dict().items()}
    tensors |= {f"ema.{k}": v for k, v in average.module.state_dict().items()}
    for index, state in optimiser.state_dict()["state"].items():
        tensors |= {f"opt.{index}.{k}": v for k, v in state.items()}
    write_tensors(file, tensors, {"losses": json.dumps(losses)})


def _resume(
    file: Path, module: nn.Module, average: AveragedModel, optimiser: Any, schedule: Any
) -> tuple[int, list[dict[str, Any]]]:
    """Take up a checkpoint; return its step, 0 if there is none, and the losses told until then."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        return 0, []
    stored = TensorFile(file)
    tensors = stored.read()
    module.load_state_dict({k[4:]: v for k, v in tensors.items() if k.startswith("now.")})
    average.module.load_state_dict({k[4:]: v for k, v in tensors.items() if k.startswith("ema.")})
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith("opt."):
            _, index, field = key.split(".")
            state.setdefault(int(index), {})[field] = value
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
    step = int(next(iter(state.values()))["step"].item())
    for _ in range(step):
        schedule.step()
    average.n_averaged.fill_(step)
    return step, json.loads(stored.metadata.get("losses", "[]"))
