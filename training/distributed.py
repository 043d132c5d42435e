"""The seam to torch.distributed: ranks as torchrun starts them, each with a device of its own.

Without torchrun's variables there is one rank, and all of this does nothing. accelerate sets the same variables; under
SLURM srun starts torchrun.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import ContextVar
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

if dist.is_available():
    # Its functions have for a default the group that is joined as it is imported, and so keep that one's threads to the
    # process's end, which these can abort. An optimiser's first step imports it, so it is here before any group.
    import torch.distributed.nn.functional

if TYPE_CHECKING:
    from torch.distributed.distributed_c10d import Store

PATIENCE = timedelta(hours=6)
"""For which ranks wait for one another; one that dies is noticed at once."""
PIECE = 2**28
"""Bytes that are sent in one go."""
COUNTS: ContextVar[Store | None] = ContextVar("counts", default=None)
"""What all ranks have done of what they count, while they are joined."""
ALONE: ContextVar[bool] = ContextVar("alone", default=False)
"""Whether this rank does something by itself."""

Made = TypeVar("Made")
One = TypeVar("One")


@contextmanager
def group() -> Iterator[None]:
    """Join the ranks that torchrun started, and leave them in the end: gloo for what is on the CPU, nccl on GPUs.

    Raises:
        ValueError: if this rank has no GPU of its own where there are some.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) < 2 or not dist.is_available() or dist.is_initialized():
        yield
        return
    own = device()
    if own.type == "cuda":
        torch.cuda.set_device(own)  # what is loaded "onto the GPU" from here on
    from torch.distributed.distributed_c10d import PrefixStore  # is missing where there is no torch.distributed
    from torch.distributed.rendezvous import rendezvous

    store, number, count = next(rendezvous("env://", timeout=PATIENCE))
    backend = "cpu:gloo,cuda:nccl" if own.type == "cuda" else "gloo"
    groups, counts = (PrefixStore(name, store) for name in ("groups", "counts"))
    dist.init_process_group(backend, store=groups, rank=number, world_size=count, timeout=PATIENCE)
    token = COUNTS.set(counts)
    try:
        yield
    finally:
        COUNTS.reset(token)
        dist.destroy_process_group()


@contextmanager
def alone() -> Iterator[None]:
    """Do something as if there were no other ranks, who may do the same or wait."""
    token = ALONE.set(True)
    try:
        yield
    finally:
        ALONE.reset(token)


def counted(what: str, more: int) -> int:
    """Add to what all ranks have done of something, without waiting for anyone; return how much that is."""
    counts = COUNTS.get()
    return more if counts is None else counts.add(what, more)


def rank() -> int:
    """Return this process's number among the ranks, 0 if it is alone."""
    return dist.get_rank() if _joined() else 0


def world() -> int:
    """Return the number of ranks."""
    return dist.get_world_size() if _joined() else 1


def device() -> torch.device:
    """Return this rank's own GPU, or the CPU where there is none.

    Raises:
        ValueError: if the machine has fewer GPUs than ranks.
    """
    if not torch.cuda.is_available():
        return torch.device("cpu")
    local, count = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
    if local >= count:
        raise ValueError(
            f"Rank {local} of this machine has no GPU of its own: there are {count}. Start torchrun with "
            f"--nproc-per-node {count}."
        )
    return torch.device("cuda", local)


def all_reduce(*tensors: Tensor, op: Literal["sum", "max"] = "sum") -> None:
    """Add tensors up over all ranks, or take their maxima, in place; all ranks must ask with tensors of one shape."""
    if _joined():
        with _heard():
            for one in tensors:
                dist.all_reduce(one, dist.ReduceOp.SUM if op == "sum" else dist.ReduceOp.MAX)


def reduce_to(tensor: Tensor, to: int) -> None:
    """Add a tensor up over all ranks, in place on one of them; on the others it says nothing any more."""
    if _joined():
        with _heard():
            dist.reduce(tensor, to)


def collect(own: Tensor, to: int) -> Tensor:
    """Return on one rank the tensors (n, …) of all ranks, one behind the other; on the others what they have."""
    if not _joined():
        return own
    counts = torch.zeros(world(), dtype=torch.int64)
    counts[rank()] = len(own)
    all_reduce(counts)
    with _heard():
        if rank() != to:
            for piece in _pieces(own.contiguous()):
                dist.send(piece, to)
            return own
        whole = own.new_empty(int(counts.sum()), *own.shape[1:])
        for source, part in enumerate(whole.split(counts.tolist())):
            if source == to:
                part.copy_(own)
                continue
            for piece in _pieces(part):
                dist.recv(piece, source)
        return whole


def share(source: int, tensors: Mapping[str, Tensor], said: object = None) -> tuple[dict[str, Tensor], Any]:
    """Return on all ranks what one has: tensors by name, and what JSON can say; others' arguments are not looked at."""
    if not _joined() or world() == 1:
        return dict(tensors), said
    mine = rank() == source
    shapes = [(name, str(one.dtype).removeprefix("torch."), list(one.shape)) for name, one in tensors.items()]
    text = bytearray(json.dumps([said, shapes]).encode() if mine else b"")
    size = torch.tensor([len(text)])
    with _heard():
        dist.broadcast(size, source)
        header = torch.frombuffer(text, dtype=torch.uint8) if mine else torch.empty(int(size), dtype=torch.uint8)
        dist.broadcast(header, source)
        told, shapes = json.loads(bytes(header.tolist()))
        found = dict[str, Tensor]()
        for name, kind, shape in shapes:
            found[name] = tensors[name] if mine else torch.empty(shape, dtype=getattr(torch, kind))
            for piece in _pieces(found[name].contiguous().flatten().view(torch.uint8)):  # whatever its type
                dist.broadcast(piece, source)
    return found, said if mine else told


def together(work: Callable[[], Made]) -> Made:
    """Do a rank's own part of what all do; raises what that raises, and on the others that it did.

    Raises:
        ValueError: if the work of another rank failed.
    """
    if not _joined():
        return work()
    failed, made = torch.zeros(world()), list[Made]()
    raised: Exception | None = None
    try:
        made.append(work())
    except Exception as error:
        raised = error
        failed[rank()] = 1
    all_reduce(failed)
    if raised:
        raise raised
    if bool(failed.any()):
        first = int(failed.argmax())
        raise ValueError(f"Rank {rank()} stops, because rank {first} could not go on. Read what rank {first} says.")
    return made[0]


def share_of(items: Sequence[Made]) -> Sequence[Made]:
    """Return a rank's share of things that take equally long: every so many-th."""
    return items[rank() :: world()]


def shared(items: Sequence[One], work: Callable[[One], Made]) -> list[Made]:
    """Do something with each of some things, every rank with its share, and return all that came of it, in their order.

    Args:
        items: the same on all ranks.
        work: returns what JSON can say: lists and texts, no tuples, keys of mappings texts.

    Raises:
        ValueError: as ``together``.
    """
    own = together(lambda: [work(one) for one in share_of(items)])
    if world() == 1:
        return own
    made = dict[int, Made]()
    for source in range(world()):
        _, some = share(source, {}, own)
        made |= zip(range(source, len(items), world()), some, strict=True)
    return [made[place] for place in range(len(items))]


def claimed(what: str, count: int, work: Callable[[int], Made]) -> dict[int, Made]:
    """Do so many things of unequal length, each on the rank that is free first; return a rank's own by their numbers.

    Args:
        what: they are called, on all ranks alike.
        work: given a number.

    Raises:
        ValueError: as ``together``.
    """
    if world() == 1:
        return {number: work(number) for number in range(count)}
    tickets = f"claimed {what}"

    def own() -> dict[int, Made]:
        made = dict[int, Made]()
        while (number := counted(tickets, 1) - 1) < count:
            made[number] = work(number)
        return made

    found = together(own)
    led(lambda: counted(tickets, -counted(tickets, 0)))  # for who claims things of this name again
    return found


def put_together(own: Tensor, count: int) -> Tensor:
    """Return on all ranks the tensors (count, …) of which each rank has its share (n, …), in the order of all.

    Args:
        own: of ``share_of`` so many things; a rank without any has (0, …).
    """
    if world() == 1:
        return own
    made = own.new_empty(count, *own.shape[1:])
    for source in range(world()):
        found, _ = share(source, {"own": own})
        made[source :: world()] = found["own"]
    return made


def led(work: Callable[[], object]) -> None:
    """Let rank 0 work while the others wait; raises as ``together``."""
    together(lambda: work() if rank() == 0 else None)


@contextmanager
def one_has(what: Callable[[], AbstractContextManager[object]]) -> Iterator[None]:
    """Let rank 0 hold something for all, such as a folder; raises as ``together``."""
    with ExitStack() as held:
        led(lambda: held.enter_context(what()))
        yield


def _joined() -> bool:
    return dist.is_available() and dist.is_initialized() and not ALONE.get()


def _pieces(tensor: Tensor) -> Iterator[Tensor]:
    """Yield a tensor (n, …) in views that can be sent in one go, none if it is empty."""
    if tensor.numel():
        yield from tensor.split(max(1, PIECE * len(tensor) // tensor.nbytes))


@contextmanager
def _heard() -> Iterator[None]:
    """Say in a sentence that others are not heard any more.

    Raises:
        ValueError: if another rank ended, with which torch fails as it does with all else.
    """
    try:
        yield
    except RuntimeError as error:
        raise ValueError(
            f"Rank {dist.get_rank()} stops, because it hears nothing of another rank ({error}). Read what that one "
            "says, and run the same command again."
        ) from error
