"""Learning that ranks share: each thing is learnt by one rank, and known to all, as one process would have it.

What was learnt is taken apart into tensors and what JSON can say, and put together again by the same table of classes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor

from ..supsae_core.dictionary.model import Codes, Dictionary, Part
from ..supsae_core.dictionary.operator import Operator, PhrasePart, RestPart
from ..supsae_core.dictionary.operator_rows import Frame
from ..training import distributed
from .baselines.additive import Additive
from .baselines.beside_prompt import BesidePrompt
from .baselines.chosen_tokens import ChosenTokens
from .baselines.control_vector import ControlVectors
from .baselines.latents import LatentPart, Latents
from .baselines.paper import Flattened
from .baselines.sparse_direction import SparseDirections, SparsePiece
from .baselines.topk import Coder
from .text.trivial import LearntMeans, PhraseMeans

CLASSES: tuple[type, ...] = (
    Additive, BesidePrompt, ChosenTokens, Coder, Codes, ControlVectors, Dictionary, Flattened, Frame, LatentPart,
    Latents, LearntMeans, Operator, Part, PhraseMeans, PhrasePart, RestPart, SparseDirections, SparsePiece,
)  # fmt: skip
"""What can be taken apart, all of them dataclasses. A new rival of another class is a line here."""
SEVERAL: dict[str, type] = {"tuple": tuple, "list": list, "frozenset": frozenset}
Key = TypeVar("Key")
Given = Mapping[str, object]
"""Name → what things hold that every rank has by itself: plans, a family, a host."""


def learnt(learns: Mapping[Key, Callable[[], Any]], given: Given, what: str) -> dict[Key, Any]:
    """Learn everything, each on the rank that is free first, and return all of it on all ranks, in order.

    Args:
        learns: name → what learns it; those that take longest should stand first.
        given: what is not taken apart.
        what: they are called together.

    Raises:
        ValueError: as ``distributed.together``.
    """
    names, works = list(learns), list(learns.values())
    if distributed.world() == 1:
        return {name: work() for name, work in learns.items()}

    def work(number: int) -> tuple[Any, dict[str, Tensor]]:
        tensors = dict[str, Tensor]()
        return taken_apart(works[number](), given, tensors), tensors

    own = distributed.claimed(what, len(works), work)
    owners = torch.zeros(len(works), dtype=torch.int64)
    owners[list(own)] = distributed.rank()
    distributed.all_reduce(owners)
    found = dict[Key, Any]()
    for number, source in enumerate(owners.tolist()):
        said, tensors = own.get(number, (None, {}))
        tensors, said = distributed.share(source, tensors, said)
        found[names[number]] = put_together(said, tensors, given)
    return found


def taken_apart(value: Any, given: Given, tensors: dict[str, Tensor]) -> Any:
    """Return what JSON can say of a value, its tensors put aside; ``put_together`` is the exact inverse.

    Raises:
        TypeError: if it holds something that is not known.
    """

    def apart(one: Any) -> Any:
        return taken_apart(one, given, tensors)

    if value is None or isinstance(value, bool | int | float | str):
        return value
    for name, one in given.items():
        if value is one or (type(value) is type(one) and value == one):
            return {"given": name}
    if isinstance(value, Tensor):
        name = str(len(tensors))
        tensors[name] = value.detach()
        return {"tensor": name}
    if isinstance(value, Mapping):
        return {"mapping": [[apart(key), apart(one)] for key, one in value.items()]}
    if isinstance(value, tuple | list | frozenset) and type(value) in SEVERAL.values():
        return {type(value).__name__: [apart(one) for one in value]}
    if is_dataclass(value) and type(value) in CLASSES:
        return {"class": type(value).__name__, "fields": {f.name: apart(getattr(value, f.name)) for f in fields(value)}}
    raise TypeError(f"A rank cannot tell others of a {type(value).__name__}. Name its class in exchange.CLASSES.")


def put_together(said: Any, tensors: Mapping[str, Tensor], given: Given) -> Any:
    """Rebuild what ``taken_apart`` returned and put aside."""

    def whole(one: Any) -> Any:
        return put_together(one, tensors, given)

    if not isinstance(said, dict):
        return said
    if "class" in said:
        kind = next(one for one in CLASSES if one.__name__ == said["class"])
        return kind(**{name: whole(one) for name, one in said["fields"].items()})
    kind = next(iter(said))
    held = said[kind]
    if kind == "given":
        return given[held]
    if kind == "tensor":
        return tensors[held]
    if kind == "mapping":
        return {whole(key): whole(one) for key, one in held}
    return SEVERAL[kind](map(whole, held))
