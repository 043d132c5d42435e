"""Stop: long work asks between its pieces whether it is still wanted, and whoever runs it answers by an exception.

One question for the whole package, as there is one Stop: no loop has to be handed what to ask. In a shell nobody
registers, and the interrupt comes by itself.
"""

from collections.abc import Callable


def _go_on() -> None:
    """What is asked where there is nobody to stop."""


_ask: Callable[[], None] = _go_on


def ask_with(question: Callable[[], None]) -> Callable[[], None]:
    """Set what is called between pieces of work, which may raise to stop it; return what was called before."""
    global _ask
    before, _ask = _ask, question
    return before


def heed() -> None:
    """Ask whether to go on; called about every tenth of a second by whatever takes longer."""
    _ask()
