"""The seam to torch.distributed: ranks as torchrun starts them, each with a device of its own.

Without torchrun's variables there is one rank, and all of this does nothing. accelerate sets the same variables; under
SLURM srun starts torchrun.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Literal

import torch
import torch.distributed as dist
from torch import Tensor

PATIENCE = timedelta(hours=6)
"""For which ranks wait for one another; one that dies is noticed at once."""


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
    dist.init_process_group("cpu:gloo,cuda:nccl" if own.type == "cuda" else "gloo", timeout=PATIENCE)
    try:
        yield
    finally:
        dist.destroy_process_group()


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


def barrier() -> None:
    """Wait for all ranks."""
    all_reduce(torch.zeros(1))


def all_reduce(*tensors: Tensor, op: Literal["sum", "max"] = "sum") -> None:
    """Add tensors up over all ranks, or take their maxima, in place; all ranks must ask with tensors of one shape."""
    if _joined():
        for one in tensors:
            dist.all_reduce(one, dist.ReduceOp.SUM if op == "sum" else dist.ReduceOp.MAX)


def led(work: Callable[[], object]) -> None:
    """Let rank 0 work while the others wait; raises what that raises, and on the others that it did.

    Raises:
        ValueError: on other ranks, if the work failed.
    """
    raised: Exception | None = None
    try:
        if rank() == 0:
            work()
    except Exception as error:
        raised = error
    failed = torch.tensor([float(raised is not None)])
    all_reduce(failed)
    if raised:
        raise raised
    if bool(failed):
        raise ValueError(f"Rank {rank()} stops, because rank 0 could not begin. Read what rank 0 says.")


def _joined() -> bool:
    return dist.is_available() and dist.is_initialized()
