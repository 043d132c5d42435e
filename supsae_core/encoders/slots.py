"""Where the tokens of a phrase stand: text formats, the rows of a conditioning, and a prompt's slots in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from ..table.concepts import ConceptTable
from ..table.prompts import Prompt, trim


class Roles(NamedTuple):
    """The rows of tokens of no concept; each role is one slot per encoder."""

    start: tuple[int, ...]
    end: tuple[int, ...]
    """of every chunk, the last one's last"""
    pad: tuple[int, ...]
    other: tuple[int, ...]
    """words that belong to no phrase"""


ROLES = Roles._fields
"""Names of the roles, in the order of their slots."""


@dataclass(frozen=True)
class Encoder:
    """One text encoder's share of the conditioning: columns ``first`` to ``last`` of the causal or the other rows."""

    name: str
    causal: bool
    first: int
    last: int


@dataclass(frozen=True)
class TextFormat:
    """How a model family lays its encoders out: causal chunks first, then the bidirectional rows."""

    name: str
    width: int
    tail: int
    """Causal rows are exactly zero from this column on; other rows are not."""
    chunk: int
    """Rows of one causal chunk, start and end included."""
    pooled: int
    encoders: tuple[Encoder, ...]
    least: int
    """Rows that the other encoder's text is padded to, its end included."""
    cut: bool = False
    """Whether longer texts are cut off, at one chunk and ``least`` rows; otherwise they get more of both."""

    setting: str = "the default"
    """what makes texts that long"""

    @property
    def length_policy(self) -> str:
        return f"{'exactly' if self.cut else 'at least'} {self.least} rows"

    def room(self, encoder: Encoder) -> int:
        """Return how many tokens of a text fit one causal chunk, or the rows that the other encoder pads to."""
        return self.chunk - 2 if encoder.causal else self.least - 1

    def require_room(self, tokens: Mapping[str, int], text: str) -> None:
        """Refuse a text of so many tokens per encoder where longer ones are cut.

        Raises:
            ValueError: naming the encoder, the tokens and the room there is.
        """
        for encoder in self.encoders if self.cut else ():
            room = self.room(encoder)
            if tokens[encoder.name] > room:
                raise ValueError(
                    f"The prompt {text!r} has {tokens[encoder.name]} tokens in {encoder.name!r}, which takes {room} "
                    "and would cut the rest off. Shorten it, or mention fewer categories."
                )


_SD3 = (Encoder("clip_l", True, 0, 768), Encoder("clip_g", True, 768, 2048), Encoder("t5xxl", False, 0, 4096))
FORMATS: dict[str, TextFormat] = {
    "portraits": TextFormat(
        "portraits", 192, 128, 48, 128, (Encoder("clip", True, 0, 128), Encoder("t5", False, 0, 192)), 48
    ),
    "sd3": TextFormat("sd3", 4096, 2048, 77, 2048, _SD3, 77, setting="ComfyUI: the default"),
    "sd3-diffusers": TextFormat(
        "sd3-diffusers", 4096, 2048, 77, 2048, _SD3, 256, cut=True, setting="diffusers: max_sequence_length=256"
    ),
}
"""Format name → layout. ``sd3`` is Stable Diffusion 3 and 3.5 in ComfyUI, ``sd3-diffusers`` the same in diffusers: pads
are attended in T5, so that another length is another text."""


class Rows(NamedTuple):
    """The rows of one conditioning, by the encoder that wrote them."""

    causal: int
    """Rows 0 … causal − 1 are causal, a multiple of the chunk."""
    total: int
    silent: tuple[str, ...] = ()
    """Encoders whose rows say nothing: they were not loaded (zeros), or were given no text at all (one row)."""

    def of(self, encoder: Encoder) -> range:
        if encoder.name in self.silent:
            return range(0)
        return range(self.causal) if encoder.causal else range(self.causal, self.total)


class Span(NamedTuple):
    """A phrase's tokens: its slot number and the conditioning rows in order."""

    phrase: int
    rows: tuple[int, ...]
    weight: float = 1.0
    """prompt weight, as in ``(phrase:1.3)``"""


class Layout(NamedTuple):
    """Who stands where in one encoder's rows of one prompt."""

    spans: tuple[Span, ...]
    """In order of writing."""
    roles: Roles


def rows_of(cond: Tensor, text_format: TextFormat) -> Rows:
    """Type the rows of one (L, width) conditioning by content.

    Raises:
        ValueError: if the width or the order of the rows fits no known layout; the reason is given.
    """
    if cond.ndim != 2 or cond.shape[1] != text_format.width:
        raise ValueError(
            f"A conditioning of shape {tuple(cond.shape)} is not of the format {text_format.name!r}, "
            f"which has rows of width {text_format.width}. Use the dictionary with the model it was made for."
        )
    causal = cond.any(1) & ~cond[:, text_format.tail :].any(1)
    count = int(causal.sum())
    if not bool(cond.any()):
        raise ValueError("This conditioning is all zeros (Conditioning Zero Out?): no concept can be read or edited.")
    if count % text_format.chunk or not bool(causal[:count].all()) or (text_format.cut and count > text_format.chunk):
        raise ValueError(
            f"The {len(cond)} rows of this conditioning are not {_rows_wanted(text_format)} followed by the other "
            "encoder's rows. Conditioning that was concatenated or averaged is not supported; edit the parts before "
            "they are joined."
        )
    rows = Rows(count, len(cond))
    rows = rows._replace(silent=tuple(one.name for one in text_format.encoders if _is_silent(one, cond, rows)))
    if not any(len(rows.of(encoder)) for encoder in text_format.encoders):
        raise ValueError("This conditioning was made of no text at all: no concept can be read or edited.")
    return rows


def _rows_wanted(text_format: TextFormat) -> str:
    return f"{'one chunk' if text_format.cut else 'chunks'} of {text_format.chunk} causal rows"


def _is_silent(encoder: Encoder, cond: Tensor, rows: Rows) -> bool:
    own = rows.of(encoder)
    written = cond[own.start : own.stop, encoder.first : encoder.last].any()
    return bool(own) and (not bool(written) or (not encoder.causal and len(own) == 1))


def layout_of(
    text_format: TextFormat, table: ConceptTable, prompt: Prompt, counts: Mapping[str, Sequence[int]], rows: Rows
) -> dict[str, Layout]:
    """Lay a known prompt out.

    Args:
        text_format: the layout rules.
        table: whose phrases the mentions number.
        prompt: words and mentions.
        counts: encoder name → tokens of each whitespace word (punctuation included).
        rows: the row types of the prompt's conditioning.

    Returns:
        encoder name → layout; phrases cut by a chunk border keep the rows on both sides.
    """
    return {
        encoder.name: _encoder_layout(text_format, encoder, table, prompt, counts[encoder.name], rows)
        for encoder in text_format.encoders
        if len(rows.of(encoder))
    }


def pooled_spans(text_format: TextFormat, layouts: Mapping[str, Layout]) -> tuple[Span, ...]:
    """Return the spans that the pooled vector can know of: those that begin in the first causal chunk, if any."""
    for encoder in text_format.encoders:
        if encoder.causal and encoder.name in layouts:
            return first_chunk(text_format, layouts[encoder.name])
    return next(iter(layouts.values())).spans


def first_chunk(text_format: TextFormat, layout: Layout) -> tuple[Span, ...]:
    """Return the spans of a causal encoder that begin in its first chunk, which its pooled vector is made of."""
    return tuple(span for span in layout.spans if span.rows[0] < text_format.chunk)


def company(spans: Sequence[Span], concepts: Sequence[int], size: int, total: int, chunk: int | None) -> Tensor:
    """Return the company of every row as labels (total rows, K).

    Causal rows (``chunk`` given) are accompanied by the concepts written before them in their chunk, other rows by
    all concepts of the prompt; a span is no company of itself.

    Args:
        spans: the phrases' rows.
        concepts: concept of every span.
        size: K.
        total: number of conditioning rows.
        chunk: rows of a causal chunk, or None for a bidirectional encoder.
    """
    present = torch.zeros(total, size)
    for span, concept in zip(spans, concepts, strict=True):
        last = span.rows[-1]
        reach = slice(None) if chunk is None else slice(last + 1, (last // chunk + 1) * chunk)
        present[reach, concept] = 1
    for span, concept in zip(spans, concepts, strict=True):
        present[list(span.rows), concept] = 0
    return present


def _encoder_layout(
    text_format: TextFormat,
    encoder: Encoder,
    table: ConceptTable,
    prompt: Prompt,
    counts: Sequence[int],
    rows: Rows,
) -> Layout:
    starts = [0]
    for count in counts:
        starts.append(starts[-1] + count)
    place = _placer(text_format, encoder, rows)
    spans = []
    for mention in prompt.mentions:
        first = starts[mention.start]
        last = prompt.words[mention.stop - 1]
        marks = len(last) - len(trim(last))  # every mark is a token of its own
        length = starts[mention.stop] - first - marks
        if length < 1:
            raise ValueError(
                f"{encoder.name!r} spells the marks behind {last!r} together, so it cannot be told where the phrase "
                f"{table.phrases[mention.phrase].text!r} ends. Put one mark behind a phrase at most."
            )
        spans.append(Span(mention.phrase, tuple(place(first + i) for i in range(length))))
    return Layout(tuple(spans), _roles(text_format.chunk, encoder, rows, place, starts[-1], spans))


def _placer(text_format: TextFormat, encoder: Encoder, rows: Rows) -> Callable[[int], int]:
    if not encoder.causal:
        return lambda token: rows.causal + token
    room = text_format.chunk - 2
    return lambda token: token // room * text_format.chunk + 1 + token % room


def _roles(
    chunk: int, encoder: Encoder, rows: Rows, place: Callable[[int], int], tokens: int, spans: Sequence[Span]
) -> Roles:
    own, end = rows.of(encoder), place(tokens - 1) + 1 if tokens else place(0)
    in_span = {row for span in spans for row in span.rows}
    return Roles(
        start=tuple(own[::chunk]) if encoder.causal else (),
        end=(*(own[chunk - 1 : end : chunk] if encoder.causal else ()), end),
        pad=tuple(row for row in own if row > end),
        other=tuple(row for row in map(place, range(tokens)) if row not in in_span),
    )
