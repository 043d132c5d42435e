"""A text stream carried beside the model's own: what the text would be in a block, had the prompt said it.

From block 1 on the text stream has heard the picture, which no dictionary of prompts knows. So the edited conditioning
goes through the same blocks beside the unedited one and hears the same picture; where an edit begins, it takes the
stream's place, and where it ends, the unedited one comes back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor

from .steer import Stretch


class Carried:
    """Both text streams in one call of the model: the one that the blocks have, and the one beside."""

    def __init__(self, beside: Tensor, stretches: Sequence[Stretch], inside: bool, depth: int) -> None:
        """Begin at block 0 of ``depth`` with the edited stream (B, rows, d) beside; ``inside`` is ``Where``'s."""
        self.beside, self._edited = beside, False
        self._first = min(one.first for one in stretches)
        self._chosen = {block for one in stretches for block in range(one.first, one.last + 1)} if inside else None
        self.blocks = range(min(max(self._chosen) + 2 if self._chosen else self._first + 1, depth))
        """The blocks that are to be told of: all up to the last at which the streams change places."""

    def enter(self, block: int, stream: Tensor) -> Tensor:
        """Return the stream (B, rows, d) that a block shall have, given the one that comes in."""
        if self._wants(block) == self._edited:
            return stream
        self._edited = not self._edited
        made, self.beside = self.beside, stream
        return made

    def leave(self, block: int, run: Callable[[Tensor], Tensor]) -> None:
        """Carry the stream beside through a block; ``run`` is the block as it was just called, with another text."""
        if any(self._wants(one) != self._edited for one in self.blocks if one > block):
            self.beside = run(self.beside)

    def _wants(self, block: int) -> bool:
        return block >= self._first if self._chosen is None else block in self._chosen
