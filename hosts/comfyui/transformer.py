"""The diffusion model behind ComfyUI's MODEL: its blocks, and taps on them that compose with other packs' patches."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import comfy.model_base

from ..models import MODELS, ModelFamily

Tap = Callable[[dict[str, Any]], dict[str, Any]]
"""Before a block: its arguments {img, txt, vec, transformer_options} → the same; behind it: its result {img, txt} → the
same. ``txt`` is None behind the last block. What came in is never written to."""
RunBlock = Callable[[dict[str, Any]], dict[str, Any]]
"""A block's arguments → its result."""
Beside = Callable[[dict[str, Any], RunBlock], None]
"""Behind a block, with its arguments, to run it again."""
Options = dict[str, Any]
"""ComfyUI's ``transformer_options`` of one call of the model."""


Taps = Mapping[int, Tap]
"""Block → what listens or speaks there."""


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


def require_network(model: Any) -> Any:
    """Return the network behind a MODEL.

    Raises:
        ValueError: if it is of no known family.
    """
    family_of(model.model)
    return model.model.diffusion_model


def depth(model: Any) -> int:
    """Return the number of joint blocks of a MODEL."""
    return len(getattr(require_network(model), family_of(model.model).blocks))


def width_of_text(model: Any) -> int:
    """Return the width of the conditionings that a MODEL reads."""
    return getattr(require_network(model), family_of(model.model).embedder).in_features


def is_changed(model: Any) -> bool:
    """Return whether something was patched into a MODEL since its loader made it."""
    wrapped = any(model.wrappers.values())
    return bool(wrapped or model.patches or model.object_patches or any(model.model_options.values()))


def tapped(
    options: Options,
    family: ModelFamily,
    enter: Taps,
    leave: Taps,
    beside: Mapping[int, Sequence[Beside]] | None = None,
) -> Options:
    """Return a copy of one call's options with taps around whatever stands on the blocks in this very call.

    What is ``beside`` comes between what enters a block and what leaves it. Installed from an APPLY_MODEL wrapper, so
    that taps compose with other packs' patches in either node order.
    """
    replace = options.get("patches_replace", {})
    blocks = replace.get("dit", {})
    more = beside or {}
    keys = {i: (family.block_key, i) for i in {*enter, *leave, *more}}
    mine = {key: _Tapped(blocks.get(key), enter.get(i), leave.get(i), more.get(i, ())) for i, key in keys.items()}
    return {**options, "patches_replace": {**replace, "dit": {**blocks, **mine}}}


class _Tapped:
    """A block with taps; lives for one call of the model."""

    def __init__(
        self, earlier: Callable[..., dict] | None, enter: Tap | None, leave: Tap | None, beside: Sequence[Beside]
    ) -> None:
        self._earlier, self._enter, self._leave, self._beside = earlier, enter, leave, beside

    def __call__(self, args: dict[str, Any], extra: dict[str, Any]) -> dict[str, Any]:
        def run(given: dict[str, Any]) -> dict[str, Any]:
            return self._earlier(given, extra) if self._earlier else extra["original_block"](given)

        if self._enter:
            args = self._enter(args)
        made = run(args)
        for one in self._beside:
            one(args, run)
        return self._leave(made) if self._leave else made


def long_lived() -> AbstractContextManager[Any]:
    """Return a context for copies made in a block and kept beyond it: ComfyUI from 0.34 on replays allocations."""
    pause = getattr(sys.modules.get("comfy.model_prefetch"), "pause_malloc_graph", None)
    return nullcontext() if pause is None else pause()
