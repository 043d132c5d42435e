"""Which slots share their effects."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, eq=False)
class Groups:
    """Which slots share their effects, and which of them are phrases."""

    of: Tensor
    """(S,) group of every slot: a phrase's category, or one of its own for a role; numbered from 0, phrases first"""
    phrases: int
    """the first so many slots are phrases; 0 if a part has none, as the pooled vector"""

    @property
    def count(self) -> int:
        """How many groups there are."""
        return int(self.of.max()) + 1

    def slots(self, group: int) -> list[int]:
        """Return the slots of a group."""
        return (self.of == group).nonzero()[:, 0].tolist()

    @property
    def judged(self) -> slice:
        """The slots whose errors are reported: phrases, or all of a part without any."""
        return slice(0, self.phrases or None)
