"""Follow conditioning entries through one sampling: which rows of a call of the model are theirs, in the main pass.

The main pass is the first CALC_COND_BATCH inside a PREDICT_NOISE: skip-layer guidance and its kin run another one
behind it. Entries are known by what hangs on them, so nothing depends on their order or number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from torch import Tensor

from ...supsae_core.editing.apply import added
from .conditionings import Conditioning, repeated
from .steering import REFERENCE
from .transformer import Blocks, Options, blocks_of

TAG = "supsae_tag"
"""In an entry's dict: what is to be found again in the calls."""
MAIN = "supsae_main_pass"
"""Of our wrappers, and the mark of the main pass in ``transformer_options``."""


class Own(NamedTuple):
    """The rows of one tagged entry in a call's batch."""

    rows: slice
    tag: Any


class Call(NamedTuple):
    """One call of the model in the main pass, in which tagged entries take part."""

    execute: Callable[..., Tensor]
    x: Tensor
    """(B, C, h, w) noisy latents"""
    context: Tensor
    """(B, L, width)"""
    pooled: Tensor | None
    """(B, P)"""
    options: Options
    own: tuple[Own, ...]
    blocks: Blocks

    def run(
        self, context: Tensor | None = None, pooled: Tensor | None = None, options: Options | None = None
    ) -> Tensor:
        """Return the denoised latents; what is not given is as the call has it."""
        return self.execute(
            self.context if context is None else context,
            self.pooled if pooled is None else pooled,
            self.options if options is None else options,
        )

    def moved(self, tensor: Tensor, step: Callable[[Any], Tensor]) -> Tensor:
        """Return a copy with ``step(tag)`` added to each tagged entry's rows, repeated as ComfyUI repeats its own.

        Added, not written: what Apply Edits has added to the rows already stays.
        """
        made = tensor.clone()
        for rows, tag in self.own:
            made[rows] = added(tensor[rows], repeated(step(tag), tensor[rows].shape))
        return made


def tagged(conditioning: Conditioning, tags: Sequence[Any]) -> Conditioning:
    """Return the list with a tag hung on every entry whose tag is not None."""
    return [
        entry if tag is None else [entry[0], {**entry[1], TAG: tag}]
        for entry, tag in zip(conditioning, tags, strict=True)
    ]


def followed(model: Any, through: Callable[[Call], Tensor]) -> Any:
    """Return a clone of a MODEL, for one sampling, that makes its calls with tagged positive entries ``through`` this.

    Other calls stay as they are: of other passes, of other entries, and of the Lock's reference.
    """
    made, follower = model.clone(), _Follower(through, blocks_of(model.model))
    for kind in ("outer_sample", "predict_noise", "calc_cond_batch", "apply_model"):
        made.add_wrapper_with_key(kind, MAIN, getattr(follower, kind))
    return made


class _Follower:
    """The wrappers of one sampling and what they share; dropped with their clone of the model."""

    def __init__(self, through: Callable[[Call], Tensor], blocks: Blocks) -> None:
        self._through, self._blocks, self._first = through, blocks, False
        self._tags: dict[Any, Any] = {}

    def outer_sample(self, executor: Any, *args: Any, **kwargs: Any) -> Any:
        entries = executor.class_obj.conds["positive"]
        self._tags = {entry["uuid"]: entry[TAG] for entry in entries if TAG in entry}
        return executor(*args, **kwargs)

    def predict_noise(self, executor: Any, *args: Any, **kwargs: Any) -> Any:
        self._first = True
        return executor(*args, **kwargs)

    def calc_cond_batch(
        self, executor: Any, model: Any, conds: Any, x: Tensor, t: Tensor, options: Mapping[str, Any], *args: Any
    ) -> Any:
        if self._first:
            self._first = False
            options = {**options, "transformer_options": {**options.get("transformer_options", {}), MAIN: True}}
        return executor(model, conds, x, t, options, *args)

    def apply_model(
        self, executor: Any, x: Tensor, t: Tensor, c_concat: Any = None, c_crossattn: Any = None, control: Any = None,
        transformer_options: Options | None = None, **kwargs: Any,
    ) -> Tensor:  # fmt: skip
        def execute(context: Any, pooled: Any, options: Any) -> Tensor:
            extra = kwargs if pooled is None else {**kwargs, "y": pooled}
            return executor(x, t, c_concat, context, control, options, **extra)

        options = transformer_options or {}
        own = self._own(options, len(x))
        if not own:
            return execute(c_crossattn, None, transformer_options)
        return self._through(Call(execute, x, c_crossattn, kwargs.get("y"), options, own, self._blocks))

    def _own(self, options: Options, batch: int) -> tuple[Own, ...]:
        if not options.get(MAIN) or options.get(REFERENCE):
            return ()
        chunks = list(zip(options["cond_or_uncond"], options["uuids"], strict=True))
        size = batch // len(chunks)
        return tuple(
            Own(slice(index * size, (index + 1) * size), self._tags[entry])
            for index, (negative, entry) in enumerate(chunks)
            if negative == 0 and entry in self._tags
        )
