"""Edits on a MODEL: read where each prompt of a run says what, once, then add the edits in every call of the model.

Wrappers alone, no patch: an OUTER_SAMPLE wrapper prepares what each conditioning entry (known by its uuid) gets, an
APPLY_MODEL wrapper adds it to the entry's rows and puts taps on the blocks of that very call.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial, reduce
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ...supsae_core.editing import steer
from ...supsae_core.editing.apply import added
from ...supsae_core.editing.carried import Carried
from ...supsae_core.editing.steer import COND, POOLED, Moves, Stretch
from ...supsae_core.encoders.sites import Site
from . import messages
from .conditionings import repeated
from .steering_run import Run, Steering, SteeringGroup, prepare
from .transformer import Beside, Options, RunBlock, Tap, blocks_of, embedded, tapped

KEY = "supsae"
"""Of our wrappers, of the MODEL's attachment that lists the edits, and of a run in ``transformer_options``."""
REFERENCE = "supsae_reference"
"""Set in ``transformer_options`` while the unedited picture is sampled beside."""
ONLY = "supsae_only"
"""In ``transformer_options``, while a picture with one edit alone is sampled beside: that edit's ``Steering``."""


def apply_to_model(model: Any, steering: Steering) -> Any:
    """Return a clone of a MODEL that makes the edits; several of them at one place and time are one change."""
    made = model.clone()
    made.set_attachments(KEY, (*(model.get_attachment(KEY) or ()), steering))
    for kind, wrapper in WRAPPERS.items():
        if not made.get_wrappers(kind, KEY):
            made.add_wrapper_with_key(kind, KEY, wrapper)
    return made


def mask_of(mask: Tensor | None) -> Tensor | None:
    """Return a MASK as (H, W).

    Raises:
        ValueError: if it holds several pictures or has another shape.
    """
    if mask is None or mask.ndim == 2:
        return mask
    if mask.ndim != 3 or len(mask) != 1:
        raise ValueError(
            f"The mask has the shape {tuple(mask.shape)}; one mask of (1, height, width) is needed. Choose one of them."
        )
    return mask[0]


def _outer_sample(executor: Any, *args: Any, **kwargs: Any) -> Any:
    guider = executor.class_obj
    options = guider.model_options.setdefault("transformer_options", {})
    only: Steering | None = options.get(ONLY)
    steerings = guider.model_patcher.get_attachment(KEY) if only is None else (only,)
    if not steerings or options.get(REFERENCE):
        return executor(*args, **kwargs)
    to_sigma = guider.model_patcher.get_model_object("model_sampling").percent_to_sigma
    run = prepare(guider.conds, steerings, to_sigma)
    if any(group.rows for group in run.groups):  # else nothing is to be done in any call
        options[KEY] = run
    if only is None:
        messages.say(run.report)
    try:
        return executor(*args, **kwargs)
    finally:
        options.pop(KEY, None)


def _sampler_sample(executor: Any, guider: Any, *args: Any, **kwargs: Any) -> Any:
    """For every entry with an area ComfyUI copies one to the other prompt, uuid and all: give the copy its own."""
    run: Run | None = guider.model_options["transformer_options"].get(KEY)
    if run is not None:
        for name, entries in guider.conds.items():
            for entry in entries or ():
                if run.lists.get(entry["uuid"], name) != name:
                    entry["uuid"] = uuid.uuid4()
    return executor(guider, *args, **kwargs)


def _apply_model(
    executor: Any, x: Tensor, t: Tensor, c_concat: Any = None, c_crossattn: Any = None, control: Any = None,
    transformer_options: Options | None = None, **kwargs: Any,
) -> Tensor:  # fmt: skip
    options = transformer_options or {}
    run: Run | None = options.get(KEY)
    sigma = float(t.max()) if run else 0.0
    active = [(group, group.steering.where.window.weight(sigma, run.to_sigma)) for group in run.groups] if run else []
    if options.get(REFERENCE) or not any(weight for _, weight in active):
        return executor(x, t, c_concat, c_crossattn, control, transformer_options, **kwargs)
    assert run is not None
    call = _SteeredCall(run, executor.class_obj, options, x, c_crossattn, kwargs.get("y"))
    for group, weight in active:
        if weight:
            call.steer(group, weight, sigma)
    extra = kwargs if call.pooled is None else {**kwargs, "y": call.pooled}
    return executor(x, t, c_concat, call.context, control, call.tapped(options), **extra)


WRAPPERS = {"outer_sample": _outer_sample, "sampler_sample": _sampler_sample, "apply_model": _apply_model}
"""Kind of ComfyUI's wrappers → ours."""


class _Text(NamedTuple):
    """What one group does to the text inside the model."""

    stretches: Sequence[Stretch]
    inside: bool
    steps: Mapping[int, Tensor]
    """entry of the call → what is added to its conditioning (B, L, width)"""


class _SteeredCall:
    """One call of the model: its context and pooled vectors as they shall be, and the taps to put on its blocks."""

    def __init__(
        self, run: Run, model: Any, options: Mapping[str, Any], x: Tensor, context: Tensor, pooled: Tensor | None
    ) -> None:
        self.context, self.pooled = context, pooled
        self._run, self._model, self._blocks = run, model, blocks_of(model)
        self._dtype, self._device = model.get_dtype_inference(), x.device
        self._uuids, self._size = options["uuids"], len(x) // len(options["uuids"])
        patch = self._blocks.patch
        self._grid = (-(-x.shape[-2] // patch), -(-x.shape[-1] // patch))
        self._enter: dict[int, list[Tap]] = defaultdict(list)
        self._leave: dict[int, list[Tap]] = defaultdict(list)
        self._texts: list[_Text] = []

    def steer(self, group: SteeringGroup, weight: float, sigma: float) -> None:
        """Make one group's edits."""
        own = [(index, group.rows[entry]) for index, entry in enumerate(self._uuids) if entry in group.rows]
        where = group.steering.where
        if COND in where.sites:
            steps = {index: weight * self._once(rows.cond) for index, rows in own}
            self.context = self._moved(self.context, steps)
        if POOLED in where.sites and self.pooled is not None:
            steps = {index: weight * self._once(rows.pooled) for index, rows in own}
            self.pooled = self._moved(self.pooled, steps)
        chosen = steer.stretches(where)
        texts = [one for one in chosen if one.kind == "txt"]
        if texts:
            steps = {index: weight * self._once(rows.cond) for index, rows in own}
            self._texts.append(_Text(texts, where.inside, steps))
        for stretch in (one for one in chosen if one.kind == "img"):
            self._tap(stretch, where.inside, {i: weight * self._stream(group, rows, stretch, sigma) for i, rows in own})

    def tapped(self, options: Options) -> Options:
        """Return the call's options with what goes on the blocks."""
        beside: dict[int, list[Beside]] = defaultdict(list)
        context = self.context
        for text in sorted(self._texts, key=lambda one: one.stretches[0].first):
            context = self._moved(context, text.steps)  # what begins later is beside a stream that holds the earlier
            own = torch.zeros(len(context), 1, 1, dtype=torch.bool, device=context.device)
            for index in text.steps:
                own[index * self._size : (index + 1) * self._size] = True
            carried = Carried(self._embedded(context), text.stretches, text.inside, self._blocks.depth)
            for block in carried.blocks:
                self._enter[block].append(partial(_enter, carried, block, own))
                beside[block].append(partial(_through, carried, block))
        enter, leave = ({n: _in_turn(taps) for n, taps in side.items()} for side in (self._enter, self._leave))
        return tapped(options, self._blocks, enter, leave, beside)

    def _tap(self, stretch: Stretch, inside: bool, steps: Mapping[int, Tensor]) -> None:
        last = self._blocks.depth - 1
        put_in = self._enter[stretch.first] if stretch.first <= last else self._leave[last]
        put_in.append(partial(self._with_stream, stretch.kind, steps))
        if inside and stretch.last <= last:
            taken = {index: -step for index, step in steps.items()}
            self._leave[stretch.last].append(partial(self._with_stream, stretch.kind, taken))

    def _with_stream(self, kind: str, steps: Mapping[int, Tensor], values: dict[str, Any]) -> dict[str, Any]:
        stream = values[kind]
        return values if stream is None else {**values, kind: self._moved(stream, steps)}

    def _stream(self, group: SteeringGroup, rows: Moves, stretch: Stretch, sigma: float) -> Tensor:
        """Return (B, tokens or 1, d) for one entry."""
        steering = group.steering
        levels = self._once(rows.streams[Site(stretch.kind, stretch.first)])
        step = steer.at_level(levels, steering.dictionary.centres, sigma)
        learnt = steer.grid_of(steering.dictionary)
        return torch.stack([steer.on_grid(one, learnt, self._grid, steering.mask) for one in step])

    def _embedded(self, context: Tensor) -> Tensor:
        """Return the text stream that enters block 0."""
        return embedded(self._model, context.to(self._dtype))

    def _once(self, step: Tensor | None) -> Tensor:
        """Bring a step to the model's device once a run and not once a call."""
        key = (id(step), self._device)
        assert step is not None
        if key not in self._run.moved:
            self._run.moved[key] = step.to(self._device)
        return self._run.moved[key]

    def _moved(self, tensor: Tensor, steps: Mapping[int, Tensor]) -> Tensor:
        """Return the tensor with the rows of some entries moved; (B, rows, d) are repeated to the batch and length."""
        made = tensor.clone()
        for index, step in steps.items():
            own = slice(index * self._size, (index + 1) * self._size)
            made[own] = added(tensor[own], repeated(step, tensor[own].shape))
        return made


def _enter(carried: Carried, block: int, own: Tensor, values: dict[str, Any]) -> dict[str, Any]:
    """Give a block the text that it shall have, in the entries that are edited."""
    stream: Tensor = values["txt"]
    made = carried.enter(block, stream)
    return values if made is stream else {**values, "txt": torch.where(own, made.to(stream), stream)}


def _through(carried: Carried, block: int, args: dict[str, Any], run: RunBlock) -> None:
    """Carry the other text through a block that was just run."""
    carried.leave(block, lambda text: run({**args, "txt": text})["txt"])


def _in_turn(taps: Sequence[Tap]) -> Tap:
    """Make one tap of several."""
    return lambda values: reduce(lambda made, tap: tap(made), taps, values)
