"""What a text encoder's rows are: the protocol that every row layout keeps, and a model family as data.

A conditioning is a table of rows. Encoders that stand side by side in the same rows form a *segment* (SD3's two CLIPs);
segments follow one another. How the tokens of a text lie in the rows of a segment is its ``RowLayout``: ``Chunked``,
``Padded`` or ``Templated``. Nothing outside this folder asks which of them it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple, Protocol

from torch import Tensor

from .layout import ROLES, Roles


class RowLayout(Protocol):
    """How the tokens of one text lie in the rows of an encoder; ``own`` are these rows, in the conditioning's count."""

    @property
    def role_names(self) -> tuple[str, ...]:
        """The roles that its rows can have."""
        ...

    @property
    def lead(self) -> int:
        """Rows before the words of every part: a start row, or a template's first rows."""
        ...

    @property
    def tail(self) -> int:
        """Rows that close a part's words: an end row, or a template's last rows."""
        ...

    @property
    def has_pads(self) -> bool:
        """Whether rows behind a text may be pads, which an edit may write on; otherwise it inserts rows."""
        ...

    @property
    def masked(self) -> bool:
        """Whether a mask hides the pads from the model, so that one that is written on must be shown to it."""
        ...

    @property
    def in_order(self) -> bool:
        """Whether its models tell rows by their place, so that words come between words, not on pads behind them."""
        ...

    @property
    def constant(self) -> str | None:
        """Role whose first row is the same in every prompt, which tells one encoder from another; None if none is."""
        ...

    @property
    def pooled_room(self) -> int | None:
        """Rows that a pooled vector of this encoder hears; None for all."""
        ...

    @property
    def room(self) -> int | None:
        """Most tokens of a text that is cut off beyond; None if none is cut."""
        ...

    @property
    def policy(self) -> str:
        """How long texts are made, in words; dictionaries of another policy do not fit."""
        ...

    @property
    def more(self) -> int:
        """Rows that a longer text gets at once: a chunk's, or 1; 0 if it is cut off."""
        ...

    def length(self, tokens: int) -> int:
        """Return the rows of a text of so many tokens."""
        ...

    def place(self, own: range, token: int) -> int:
        """Return the row of a text's token."""
        ...

    def ends(self, own: range, tokens: int) -> tuple[int, ...]:
        """Return, per part, the row behind the last of so many tokens."""
        ...

    def roles(self, own: range, ends: Sequence[int], taken: set[int]) -> Roles:
        """Return the roles of all rows but those taken by phrases, given where each part's words end."""
        ...

    def parts(self, own: range) -> list[range]:
        """Return the stretches of rows that hear only themselves, in order."""
        ...

    def part(self, own: range, rows: Tensor) -> Tensor:
        """Return the number of the part that each row (n,) lies in."""
        ...

    def hears(self, own: range, rows: Tensor, row: int | Tensor) -> Tensor:
        """Tell which rows (n,) can attend to a row; of rows (n, 1 or m), each to those (m,) of its columns."""
        ...

    def reach(self, own: range, end: int, total: int) -> int:
        """Return the first row that can attend to what is written behind a text that ends at a row, of so many."""
        ...

    def number(self, own: range, rows: Tensor) -> Tensor:
        """Number rows (n,) so that the rows of neighbouring words differ by one, across parts too."""
        ...

    def in_empty(self, own: range, row: int) -> str:
        """Return the role that a row has in the empty prompt."""
        ...

    def fits(self, rows: int) -> bool:
        """Tell whether a text can have so many rows at all."""
        ...

    def is_empty(self, rows: int) -> bool:
        """Tell whether so many rows hold no text at all."""
        ...

    def is_longer(self, rows: int) -> bool:
        """Tell whether so many rows can be of a text longer than texts are padded to, with its end in the last."""
        ...

    def wrong_length(self, rows: int, pads: int) -> str | None:
        """Say which length texts are padded to, if so many rows with so many pads are of another; −1 pads: no end."""
        ...


@dataclass(frozen=True)
class Encoder:
    """One text encoder's share of the conditioning."""

    name: str
    segment: str
    """name of the rows that it shares with the encoders beside it"""
    layout: RowLayout
    first: int
    """of its columns"""
    last: int
    """the column behind its last"""

    @property
    def width(self) -> int:
        return self.last - self.first


@dataclass(frozen=True)
class Pooled:
    """Columns ``first`` to ``last`` of the pooled vector, and the encoder whose rows show what they heard."""

    first: int
    last: int
    encoder: str | None = None
    """None if the encoder that made them has no rows"""


@dataclass(frozen=True)
class Family:
    """How a model family lays its text out; pure data, which files carry along."""

    name: str
    width: int
    """columns of the conditioning"""
    encoders: tuple[Encoder, ...]
    """segment by segment, in the order of their rows; the last one leads: it decides what a conditioning says"""
    pooled: tuple[Pooled, ...] = ()
    """of the pooled vector; none if there is no such vector"""
    weighted: bool = True
    """whether prompt weights move rows away from the empty prompt's"""
    title: str = ""
    """what people call its models"""
    setting: str = "the default"
    """what makes texts as long as the layouts say, in the words of the host"""
    loader: str = ""
    """ComfyUI's node that loads its text encoders, and how that is set"""
    comfyui: Mapping[str, str] = field(default_factory=dict)
    """encoder → its key in what ComfyUI's ``clip.tokenize`` returns"""
    empty: Mapping[str, int] = field(default_factory=dict)
    """encoder → tokens of the empty prompt, where other families have the same keys"""
    diffusers: Mapping[str, str] = field(default_factory=dict)
    """encoder → how its ``text_encoder`` and ``tokenizer`` end in a pipeline of diffusers"""

    def __post_init__(self) -> None:
        names = [encoder.name for encoder in self.encoders]
        if not names or len(set(names)) < len(names) or "pooled" in names:
            raise ValueError(f"The family {self.name!r} needs encoders of different names, none called 'pooled'.")
        for encoder in self.encoders:
            if not 0 <= encoder.first < encoder.last <= self.width:
                raise ValueError(
                    f"Columns {encoder.first} to {encoder.last} of {encoder.name!r} do not lie in the {self.width} "
                    f"columns of the family {self.name!r}."
                )
        for segment, some in self.segments.items():
            if any(one.layout != some[0].layout for one in some):
                raise ValueError(f"The encoders of the rows {segment!r} must have the same layout: they share them.")
        widths = [self.width_of(segment) for segment in self.segments]
        if len(set(widths)) < len(widths):
            raise ValueError(f"The family {self.name!r} has rows of equal width {widths}, which nothing tells apart.")
        for one in self.pooled:
            if one.encoder is not None and one.encoder not in names:
                raise ValueError(f"A pooled vector of {one.encoder!r} needs an encoder of that name, one of {names}.")

    @cached_property
    def segments(self) -> Mapping[str, tuple[Encoder, ...]]:
        """Return segment → its encoders, in the order of their rows."""
        names = dict.fromkeys(encoder.segment for encoder in self.encoders)
        return {name: tuple(one for one in self.encoders if one.segment == name) for name in names}

    @cached_property
    def roles(self) -> tuple[str, ...]:
        """The roles of all its encoders, in the order of their slots."""
        names = {name for encoder in self.encoders for name in encoder.layout.role_names}
        return tuple(name for name in ROLES if name in names)

    def encoder(self, name: str) -> Encoder:
        """Return the encoder of a name."""
        return next(one for one in self.encoders if one.name == name)

    def width_of(self, segment: str) -> int:
        """Return the column from which on the rows of a segment are exactly zero."""
        return max(encoder.last for encoder in self.segments[segment])

    @property
    def pooled_width(self) -> int:
        """Columns of the pooled vector, 0 if there is none."""
        return max((one.last for one in self.pooled), default=0)

    @property
    def length_policy(self) -> str:
        return ", ".join(dict.fromkeys(encoder.layout.policy for encoder in self.encoders))

    def length(self, tokens: Mapping[str, int]) -> int:
        """Return the rows of a prompt with so many tokens per encoder."""
        firsts = [some[0] for some in self.segments.values()]
        return sum(one.layout.length(tokens[one.name]) for one in firsts)

    def require_room(self, tokens: Mapping[str, int], text: str) -> None:
        """Refuse a text of so many tokens per encoder where longer ones are cut.

        Raises:
            ValueError: naming the encoder, the tokens and the room there is.
        """
        for encoder in self.encoders:
            room = encoder.layout.room
            if room is not None and tokens[encoder.name] > room:
                raise ValueError(
                    f"The prompt {text!r} has {tokens[encoder.name]} tokens in {encoder.name!r}, which takes {room} "
                    "and would cut the rest off. Shorten it, or mention fewer categories."
                )


class Rows(NamedTuple):
    """The rows of one conditioning, by the encoder that wrote them."""

    own: Mapping[str, range]
    """encoder → its rows; none of an encoder that says nothing: not loaded (zeros), or given no text at all"""
    total: int

    def of(self, encoder: Encoder) -> range:
        return self.own[encoder.name]
