"""What every node of the pack is: ComfyUI's, with sockets that hold what they are for, or an error that says so."""

from __future__ import annotations

import functools
import inspect
import reprlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from comfy_api.latest import io
from torch import Tensor

from ..hosts.comfyui.locking import Lock
from ..hosts.comfyui.prompt_text import text_behind
from ..supsae_core.capture.captures import Capture
from ..supsae_core.dictionary.model import Dictionary
from ..supsae_core.table.concepts import ConceptTable


class SocketKind(NamedTuple):
    """What an input must hold."""

    name: str
    source: str
    """where it comes from"""
    fits: Callable[[Any], bool]


def _has(*names: str) -> Callable[[Any], bool]:
    """Other packs wrap models, text encoders and VAEs: what they can do is what counts."""
    return lambda one: all(hasattr(one, name) for name in names)


def _is_conditioning(one: Any) -> bool:
    return isinstance(one, list) and all(
        isinstance(entry, (list, tuple)) and len(entry) == 2 and isinstance(entry[0], Tensor) and entry[0].ndim == 3
        and isinstance(entry[1], dict)
        for entry in one
    )  # fmt: skip


CONDITIONING = SocketKind("a conditioning", "CLIP Text Encode (Prompt)", _is_conditioning)
IMAGE = SocketKind("a picture", "VAE Decode", lambda one: isinstance(one, Tensor) and one.ndim == 4)
REFERENCE = IMAGE._replace(source="Load Image")
SOCKETS: Mapping[str, SocketKind] = {
    "dictionary": SocketKind("a dictionary", "Load Dictionary", lambda one: isinstance(one, Dictionary)),
    "table": SocketKind("a concept table", "Concept Table", lambda one: isinstance(one, ConceptTable)),
    "capture": SocketKind("a capture", "Capture", lambda one: isinstance(one, Capture)),
    "edits": SocketKind("edits", "Concept Edit", lambda one: isinstance(one, tuple)),
    "lock": SocketKind("a lock", "Lock", lambda one: isinstance(one, Lock)),
    "conditioning": CONDITIONING,
    "positive": CONDITIONING,
    "negative": CONDITIONING,
    "model": SocketKind("a model", "Load Diffusion Model", _has("clone", "model_options")),
    "clip": SocketKind("text encoders", "Load Portraits CLIP", _has("tokenize", "encode_from_tokens")),
    "vae": SocketKind("a VAE", "Load VAE", _has("encode", "decode")),
    "latent": SocketKind("a latent", "an empty latent", lambda one: isinstance(one, dict) and "samples" in one),
    "before": IMAGE,
    "after": IMAGE,
    "like": REFERENCE,
    "unlike": REFERENCE,
    "clip_vision": SocketKind("a CLIP Vision model", "Load CLIP Vision", _has("encode_image")),
    "mask": SocketKind("a mask", "Load Image (as Mask)", lambda one: isinstance(one, Tensor)),
}
"""Name of an input → what it must hold: ComfyUI lets a workflow that was written by hand put anything there."""


class Node(io.ComfyNode):
    """A node whose inputs are looked at before it runs."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        run = getattr(vars(cls).get("execute"), "__func__", None)
        if run is not None and not hasattr(run, "__wrapped__"):  # ComfyUI runs copies, in which it is wrapped already
            taken = inspect.signature(run).parameters
            optional = {name for name, one in taken.items() if one.default is not one.empty}

            @functools.wraps(run)
            def execute(own: type[Node], *given: Any, **named: Any) -> io.NodeOutput:
                inputs = {**dict(zip(list(taken)[1:], given, strict=False)), **named}
                require_own(inputs)
                require_sockets({name: one for name, one in inputs.items() if one is not None or name not in optional})
                return run(own, **inputs)

            cls.execute = classmethod(execute)

    @classmethod
    def text_before(cls) -> str | None:
        """Return what the conditioning was encoded from, if the workflow says so; it takes ``ASKS_FOR_TEXT``."""
        told = cls.hidden  # nothing, where no server runs the node
        return text_behind(told.prompt, str(told.unique_id)) if told and told.prompt and told.unique_id else None


ASKS_FOR_TEXT = [io.Hidden.unique_id, io.Hidden.prompt]
"""What a node is told of the workflow so that it can find the text behind its conditioning."""


def require_own(inputs: Mapping[str, Any]) -> None:
    """Refuse a field of a choice that is not chosen: what it was to do would not be done.

    Raises:
        ValueError: naming both.
    """
    for name in inputs:
        if "." in name:
            choice = name.split(".")[0]
            raise ValueError(f"{name!r} is no input of what is chosen as {choice!r}. Remove it, or choose what has it.")


def require_sockets(inputs: Mapping[str, Any]) -> None:
    """Refuse an input, or one of a choice's own, that holds something else than its socket is for.

    Raises:
        ValueError: naming the input, what it holds and what to connect.
    """
    for name, value in inputs.items():
        kind = SOCKETS.get(name)
        if kind is None and isinstance(value, Mapping):
            require_sockets({own: one for own, one in value.items() if one is not None})
        elif kind is not None and not kind.fits(value):
            raise ValueError(f"{name!r} holds {reprlib.repr(value)}, not {kind.name}. Connect {kind.source} to it.")
