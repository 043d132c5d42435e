"""Progress in the shell."""

from collections.abc import Callable

from tqdm import tqdm

from ..evaluation.results import Hooks
from ..supsae_core.host import Progress


def onto(bar: tqdm) -> Progress:
    """Return what moves a bar to (done, total)."""

    def progress(done: int, total: int) -> None:
        bar.total = total
        bar.update(done - bar.n)

    return progress


def hooks() -> Hooks:
    """Return how a run tells the shell what it does: a bar a part."""
    return Hooks(tqdm.write, _part)


def _part(name: str, total: int) -> Callable[[int], None]:
    bar = tqdm(total=total or None, desc=f"{name:<14}", unit="")

    def told(count: int) -> None:
        bar.update(count)

    return told
