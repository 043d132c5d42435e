"""The solvers, one line each. Another one is a file beside these and a line in ``SOLVERS``."""

from collections.abc import Callable
from typing import Any, NamedTuple, Self

from ...supsae_core.capture.kept import Summed
from .adam import ADAM, adam
from .exact import EXACT, exact
from .groups import Groups
from .solution import Solution


class Solver(NamedTuple):
    """One line of the table: a solver with its options."""

    solve: Callable[[Summed, Groups, Any], Solution]
    options: Any
    """a frozen dataclass with its defaults; its ``for_streams`` gives the options for parts inside a model"""
    about: str
    """what it is, in a few words"""

    def __call__(self, statistics: Summed, groups: Groups) -> Solution:
        """Solve one part."""
        return self.solve(statistics, groups, self.options)

    def for_streams(self) -> Self:
        """Return the solver with its options for the streams inside a model."""
        return self._replace(options=self.options.for_streams())


SOLVERS: dict[str, Solver] = {
    "exact": Solver(exact, EXACT, "linear solves and a truncated SVD, all chosen by held-out error"),
    "adam": Solver(adam, ADAM, "the paper's optimiser: codes and a decoder by gradient, to compare with"),
}
"""Spelling → solver."""
DEFAULT = "exact"


def chosen(name: str, config: Any = None) -> Solver:
    """Return a solver with the options given, or its defaults.

    Raises:
        ValueError: naming the solvers there are, or the type of options that the solver takes.
    """
    if name not in SOLVERS:
        raise ValueError(f"There is no solver {name!r}. Solvers are: {', '.join(SOLVERS)}.")
    solver = SOLVERS[name]
    if config is None:
        return solver
    if type(config) is not type(solver.options):
        wanted, given = type(solver.options).__name__, type(config).__name__
        raise ValueError(f"The solver {name!r} takes options of type {wanted}, not {given}.")
    return solver._replace(options=config)
