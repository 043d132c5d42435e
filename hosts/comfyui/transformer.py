"""The diffusion model behind ComfyUI's MODEL: its blocks, and taps on them that compose with other packs' patches."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import reduce
from typing import Any, NamedTuple

import comfy.model_base
import torch
from torch import Tensor

from ..models import MODELS, ModelFamily
from .unpatched import Unpatched, require_wrapped

Tap = Callable[[dict[str, Any]], dict[str, Any]]
"""Before a block: its arguments {img, txt, vec, transformer_options} → the same; behind it: its result {img, txt} → the
same. ``txt`` is None behind the last block. A tap never writes to what came in."""
RunBlock = Callable[[dict[str, Any]], dict[str, Any]]
"""A block's arguments → its result."""
Beside = Callable[[dict[str, Any], RunBlock], None]
"""Behind a block, with its arguments, to run it again."""
Options = dict[str, Any]
"""ComfyUI's ``transformer_options`` of one call of the model."""
Taps = Mapping[int, Tap]
"""Block → what listens or speaks there."""


class Blocks(NamedTuple):
    """A network's blocks, numbered through: the joint ones, and behind them those in which both streams are one."""

    keys: tuple[tuple[str, int], ...]
    """what each is called among ComfyUI's patches"""
    joint: int
    """how many have a text stream and an image stream of their own"""
    patch: int
    """latent cells along the side of an image token"""
    unpatched: Unpatched | None = None
    """how they are reached if ComfyUI has no patches for them"""

    @property
    def depth(self) -> int:
        """Number of blocks."""
        return len(self.keys)


JOINT, SINGLE = "double_block", "single_block"
"""What ComfyUI calls blocks of two streams, and of both in one, among its patches."""


def family_of(base: Any) -> ModelFamily:
    """Return the family of what a MODEL holds, ComfyUI's ``BaseModel``.

    Raises:
        ValueError: if no family of the table has it.
    """
    for one in MODELS:
        if isinstance(base, getattr(comfy.model_base, one.comfyui)):
            return one
    known = ", ".join(one.name for one in MODELS)
    raise ValueError(
        f"This model is {type(base).__name__}. SupSAE edits the blocks of {known} and of Portraits; for others "
        "connect the conditioning to Apply Edits, where a dictionary fits."
    )


def blocks_of(base: Any) -> Blocks:
    """Return the blocks of what a MODEL holds.

    Raises:
        ValueError: as ``family_of``.
    """
    family, network = family_of(base), base.diffusion_model
    joint, single = (len(getattr(network, some)) if some else 0 for some in (family.blocks, family.single_blocks))
    keys = [(JOINT, i) for i in range(joint)] + [(SINGLE, i) for i in range(single)]
    token = getattr(network, family.token)
    return Blocks(tuple(keys), joint, token, None if family.patched else _unpatched(family, network, token))


def _unpatched(family: ModelFamily, network: Any, token: int) -> Unpatched:
    require_wrapped(network, family.name)
    multiple = getattr(network, family.text_multiple) if family.text_multiple else None
    return Unpatched(family.name, family.single_blocks, token, multiple or 1)


def require_network(model: Any) -> Any:
    """Return the network behind a MODEL.

    Raises:
        ValueError: if it is of no known family.
    """
    family_of(model.model)
    return model.model.diffusion_model


def depth(model: Any) -> int:
    """Return the number of blocks of a MODEL."""
    return blocks_of(model.model).depth


def width_of_text(model: Any) -> int:
    """Return the width of the conditionings that a MODEL reads."""
    beside = family_of(model.model).side_by_side
    return _embedders(model.model)[-1].in_features * (getattr(model.model.diffusion_model, beside) if beside else 1)


def width_of_streams(model: Any) -> int:
    """Return the width of the streams of a MODEL."""
    return _embedders(model.model)[-1].out_features


def embedded(base: Any, context: Tensor) -> Tensor:
    """Return the text stream (B, rows, d) that enters block 0, of a context (B, rows, width)."""
    text = family_of(base).text
    if text is not None:
        return text(base.diffusion_model, context)
    return reduce(lambda made, layer: layer(made), _embedders(base), context)


def _embedders(base: Any) -> list[Any]:
    names = (name.split(".") for name in family_of(base).embedders)
    layers = [reduce(lambda of, part: getattr(of, part, None), name, base.diffusion_model) for name in names]
    return [layer for layer in layers if layer is not None]


def is_changed(model: Any) -> bool:
    """Return whether something was patched into a MODEL since its loader made it."""
    wrapped = any(model.wrappers.values())
    return bool(wrapped or model.patches or model.object_patches or any(model.model_options.values()))


def tapped(
    options: Options, blocks: Blocks, enter: Taps, leave: Taps, beside: Mapping[int, Sequence[Beside]] | None = None
) -> Options:
    """Return a copy of one call's options with taps around whatever stands on the blocks in this very call.

    What is ``beside`` comes between what enters a block and what leaves it. Installed from an APPLY_MODEL wrapper, so
    that taps compose with other packs' patches in either node order.
    """
    replace = options.get("patches_replace", {})
    there, more = replace.get("dit", {}), beside or {}
    taps: dict[int, _Tapped] = {}
    for i in sorted({*enter, *leave, *more}):
        taps[i] = _Tapped(there.get(blocks.keys[i]), enter.get(i), leave.get(i), more.get(i, ()))
    if blocks.unpatched:
        return blocks.unpatched.around(options, {i: one.through for i, one in taps.items()}) if taps else options
    mine = {blocks.keys[i]: one if i < blocks.joint else _Single(one) for i, one in taps.items()}
    return {**options, "patches_replace": {**replace, "dit": {**there, **mine}}}


class _Tapped:
    """A block with taps; lives for one call of the model."""

    def __init__(
        self, earlier: Callable[..., dict] | None, enter: Tap | None, leave: Tap | None, beside: Sequence[Beside]
    ) -> None:
        self._earlier, self._enter, self._leave, self._beside = earlier, enter, leave, beside

    def __call__(self, args: dict[str, Any], extra: dict[str, Any]) -> dict[str, Any]:
        return self.through(args, lambda given: self.block(given, extra))

    def block(self, given: dict[str, Any], extra: dict[str, Any]) -> dict[str, Any]:
        """Run what stands here without us."""
        return self._earlier(given, extra) if self._earlier else extra["original_block"](given)

    def through(self, args: dict[str, Any], run: RunBlock) -> dict[str, Any]:
        """Run a block of two streams between the taps."""
        if self._enter:
            args = self._enter(args)
        again = [{**args, "img": args["img"].clone()} for _ in self._beside]  # FLUX's blocks write to what they get
        made = run(args)
        for one, given in zip(self._beside, again, strict=True):
            one(given, run)
        return self._leave(made) if self._leave else made


class _Single:
    """A block in which both streams are one, shown to its taps as two."""

    def __init__(self, tapped: _Tapped) -> None:
        self._tapped = tapped

    def __call__(self, args: dict[str, Any], extra: dict[str, Any]) -> dict[str, Any]:
        cut = args["transformer_options"]["img_slice"][0]

        def run(given: dict[str, Any]) -> dict[str, Any]:
            whole = {key: value for key, value in given.items() if key != "txt"}
            return _parted(self._tapped.block({**whole, "img": _joined(given)}, extra), cut)

        return {"img": _joined(self._tapped.through(_parted(args, cut), run))}


def _parted(values: dict[str, Any], cut: int) -> dict[str, Any]:
    whole = values["img"]
    return {**values, "txt": whole[:, :cut], "img": whole[:, cut:]}


def _joined(values: dict[str, Any]) -> Tensor:
    return torch.cat([values["txt"], values["img"]], 1)


def long_lived() -> AbstractContextManager[Any]:
    """Return a context for copies made in a block and kept beyond it: ComfyUI from 0.34 on replays allocations."""
    pause = getattr(sys.modules.get("comfy.model_prefetch"), "pause_malloc_graph", None)
    return nullcontext() if pause is None else pause()
