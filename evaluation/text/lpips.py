"""LPIPS, how unlike two pictures look (Zhang et al. 2018, arXiv 1801.03924, eq. 1), from weights that a user names.

No library reads them without a download or a pickle, so the forty lines that the measure is are here; the file is the
state of the ``lpips`` package's own model (version 0.1, nets ``alex`` and ``vgg``), saved as safetensors.
"""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F

MAKE = (
    "import lpips, safetensors.torch as s; s.save_file({k: v.clone() for k, v in "
    "lpips.LPIPS(net='alex').state_dict().items()}, 'lpips-alex.safetensors')"
)
"""What makes the file, in Python, where the ``lpips`` package is installed."""
LAYERS = 5
"""Depths at which features are compared."""
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
"""Mean and spread of ImageNet's colours in −1 … 1."""


class Convolution(NamedTuple):
    """One convolution with its rectifier."""

    weight: Tensor
    bias: Tensor
    stride: int
    pad: int


class Lpips(NamedTuple):
    """A stack of convolutions, and how much each channel's difference counts at every depth."""

    stages: tuple[tuple[Convolution, ...], ...]
    pools: tuple[int, ...]
    """side of the max pool before each stage, step 2; 0 for none"""
    weights: tuple[Tensor, ...]
    """(1, C, 1, 1) each"""

    @torch.inference_mode()
    def distance(self, one: Tensor, other: Tensor) -> Tensor:
        """Return the distances (n,) of pictures (n, 3, h, w) in 0 … 1, float32; 0 is the same."""
        total = torch.zeros(len(one), device=one.device)
        x, y = (self._normal(picture) for picture in (one, other))
        for stage, pool, weight in zip(self.stages, self.pools, self.weights, strict=True):
            x, y = (_through(stage, pool, z) for z in (x, y))
            apart = (_directions(x) - _directions(y)).square()
            total = total + (apart * weight).sum(1).mean((1, 2))
        return total

    def _normal(self, picture: Tensor) -> Tensor:
        shift, scale = (picture.new_tensor(values)[:, None, None] for values in (SHIFT, SCALE))
        return (2 * picture - 1 - shift) / scale


def _through(stage: tuple[Convolution, ...], pool: int, x: Tensor) -> Tensor:
    x = F.max_pool2d(x, pool, 2) if pool else x
    for one in stage:
        x = F.conv2d(x, one.weight, one.bias, one.stride, one.pad).relu()
    return x


def _directions(x: Tensor) -> Tensor:
    return x / (x.square().sum(1, keepdim=True).sqrt() + 1e-10)


def load(path: Path, device: torch.device | str = "cpu") -> Lpips:
    """Read the weights.

    Raises:
        ValueError: if the file holds no such model; says how one is made.
    """
    try:
        tensors = {name: tensor.float().to(device) for name, tensor in load_file(path).items()}
        names = [name for name in tensors if name.startswith("net.slice") and name.endswith(".weight")]
        places = sorted(
            (int(stage.removeprefix("slice")), int(at)) for _, stage, at, _ in (n.split(".") for n in names)
        )
        alex = tensors["net.slice1.0.weight"].shape[-1] == 11
        stages = tuple(
            tuple(_convolution(tensors, stage, at, alex) for _, at in some)
            for stage, some in groupby(places, key=lambda place: place[0])
        )
        weights = tuple(tensors[f"lin{depth}.model.1.weight"] for depth in range(LAYERS))
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise ValueError(
            f'{path} does not hold LPIPS weights as a safetensors file ({error!r}). Make them with: python -c "{MAKE}"'
        ) from error
    return Lpips(stages, (0, 3, 3, 0, 0) if alex else (0, 2, 2, 2, 2), weights)


def _convolution(tensors: dict[str, Tensor], stage: int, at: int, alex: bool) -> Convolution:
    weight, bias = (tensors[f"net.slice{stage}.{at}.{kind}"] for kind in ("weight", "bias"))
    return (
        Convolution(weight, bias, 4, 2) if alex and stage == 1 else Convolution(weight, bias, 1, weight.shape[-1] // 2)
    )
