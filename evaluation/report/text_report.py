"""The figures that need no reader, in lines of text and as sections of an HTML page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

import numpy as np
from PIL import Image

from ...drawing.codes import cosine_picture
from ...drawing.sheet import Column, inlined, sheet
from ...supsae_core.version import __version__
from ...training.calibration import GAIN_RANGE
from ..outcomes import Interval
from ..text.proxies import Proxies, means
from ..text.swaps import SPLITS
from ..text.text import Calibration, SplitScore, TextMetrics
from ..trials import METHODS
from .demo_report import NAMES
from .describe import describe
from .page_parts import document, terms

LABELS = {**NAMES, "other words": "chance: the edit against other words", "edited_minus_rewrite": "edit − rewrite"}
"""What a mean is of → its name in the report."""
ON_SHEET = 8
"""Cases shown."""
WARNING = (
    "Proxies, no truth: nobody has checked what these pictures show. CLIP and LPIPS are learnt judges with faults of "
    "their own; compare the lines of one table, and look at the pictures."
)
MEANING = {
    "Company left": "What decoding leaves unexplained of how a phrase’s tokens change with the words around it "
    "(fvu_slot), in prompts that were not fitted on. 0 is perfect; 1 is as good as the phrase’s own mean.",
    "Token left": "The same held against the mean of all tokens (fvu_token), which is easier.",
    "Undone": "Of the change that rewriting the prompt makes in the encoder’s rows, the share of squares that the edit "
    "at strength 1 does not make or makes wrongly.",
    "Calibration": "How much of the edit’s change writing the word would be. 1 is as much; the spread is between "
    f"prompts. Outside {GAIN_RANGE[0]:g} … {GAIN_RANGE[1]:g} a concept counts as poorly learnt.",
}


def summary(metrics: TextMetrics, proxies: Proxies | None = None) -> str:
    """Return the key figures in lines."""
    lines = [line for name, split in metrics.splits.items() for line in _split_lines(name, split)]
    lines.append(f"strength 0 leaves the very same tensors: {metrics.unchanged}")
    poor = {name: one.poor for name, one in metrics.concepts.items() if one.poor}
    lines.append(f"poorly learnt: {len(poor)} of {len(metrics.concepts)} concepts")
    lines += [f"  {name}: {why}" for name, why in poor.items()]
    lines += metrics.notes
    if proxies:
        lines += [WARNING, *_proxy_lines("CLIP sees the words' change in the picture, −1 … 1", proxies.direction)]
        lines += [*_proxy_lines("LPIPS from the unedited picture, 0 is the same", proxies.apart), *proxies.notes]
    return "\n".join(lines)


def _split_lines(name: str, split: SplitScore) -> Iterable[str]:
    yield f"{split.swaps} {SPLITS[name]}"
    yield f"  found in the rows, concept and words: {split.located}; the concept alone: {split.named}"
    width = max(map(len, split.parts))
    for part, one in split.parts.items():
        told = {"company left": one.fvu_slot, "token left": one.fvu_token, "undone": one.undone}
        yield f"  {part:<{width}}  " + ", ".join(f"{what} {_share(v)}" for what, v in told.items() if v is not None)


def _proxy_lines(title: str, found: Mapping[str, Sequence[float]]) -> list[str]:
    rows = [f"  {LABELS[name]}: {_number(one)}" for name, one in means(found).items()]
    return [title, *rows] if rows else []


def _number(value: Interval) -> str:
    return f"{value.estimate:.3f} ({value.low:.3f} … {value.high:.3f})"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


# --- page ------------------------------------------------------------------------------------------------------------


def page(metrics: TextMetrics, proxies: Proxies | None = None) -> str:
    """Return the figures as one HTML page that needs no other file."""
    return document(
        "SupSAE: a dictionary without pictures",
        f"<h1>A dictionary on its own</h1>{section(metrics, proxies)}",
        f"supsae {__version__}, seed {metrics.config.seed}. Every number: <code>results.json</code>",
    )


def section(metrics: TextMetrics, proxies: Proxies | None = None) -> str:
    """Return the figures as sections of a page in the style of ``page_style``."""
    swaps = sum(split.swaps for split in metrics.splits.values())
    notes = "".join(f"<p class=fine>{escape(note)}</p>" for note in metrics.notes)
    told = (
        "<section><h2>In the text encoders alone</h2>"
        f"<p>{swaps} swaps in fresh prompts of the dictionary’s own table, each held against the prompt rewritten. No "
        f"picture was drawn for these figures and nothing was read from one.</p>{notes}{_encoders(metrics)}"
        f"<h3>What they mean</h3>{terms(MEANING)}</section>"
    )
    return told + _concepts(metrics) + _dictionary(metrics) + (_pictures(proxies) if proxies else "")


def _encoders(metrics: TextMetrics) -> str:
    tables = []
    for name, split in metrics.splits.items():
        rows = [
            [part, _share(one.fvu_slot), _share(one.fvu_token), _share(one.undone)] for part, one in split.parts.items()
        ]
        tables.append(
            f"<h3>{SPLITS[name].capitalize()} <small>{split.swaps} swaps</small></h3>"
            f"<p>Found in the rows, concept and exact words: <b>{split.located}</b>; the concept alone: {split.named}."
            f"</p>{table(['Encoder', 'Company left', 'Token left', 'Undone'], rows)}"
        )
    return "".join(tables)


def _concepts(metrics: TextMetrics) -> str:
    names = list(metrics.dictionary.parts)
    poor = {name: one.poor for name, one in metrics.concepts.items() if one.poor}
    told = terms(poor) if poor else "<p>None.</p>"
    rows = [
        [name, str(one.swaps), *(_calibration(one.parts.get(part)) for part in names)]
        for name, one in metrics.concepts.items()
    ]
    return (
        f"<section><h2>Concept by concept</h2><h3>Poorly learnt</h3>{told}<details><summary>Calibration ± spread, and "
        f"what is undone, of every concept</summary>{table(['Concept', 'Swaps', *names], rows)}</details></section>"
    )


def _calibration(one: Calibration | None) -> str:
    return "–" if one is None else f"{one.mean:.2f} ± {one.spread:.2f}, {one.undone:.2f}"


def _dictionary(metrics: TextMetrics) -> str:
    matrix = inlined(cosine_picture(metrics.dictionary).quantize(128), "PNG")
    return (
        "<section><h2>The dictionary</h2><div class=dictionary>"
        f"<pre>{escape(describe(metrics.dictionary))}</pre>"
        f'<figure><img alt="cosines between the concepts’ codes" src="{matrix}"></figure></div></section>'
    )


def _pictures(proxies: Proxies) -> str:
    found = {
        "CLIP: the words’ change seen in the picture": means(proxies.direction),
        "LPIPS from the unedited picture": means(proxies.apart),
    }
    tables = [
        f"<h3>{title} <small>a proxy</small></h3>{table(['', 'Mean and 95 % interval'], rows)}"
        for title, one in found.items()
        if (rows := [[LABELS[name], _number(value)] for name, value in one.items()])
    ]
    notes = "".join(f"<p class=fine>{escape(note)}</p>" for note in proxies.notes)
    source = inlined(contact_sheet(proxies), "JPEG")
    return (
        f"<section><h2>Pictures, by proxy</h2><p>{WARNING}</p>{''.join(tables)}{notes}"
        f'<figure><img alt="before, edited and rewritten" src="{source}"></figure></section>'
    )


def contact_sheet(proxies: Proxies) -> Image.Image:
    """Draw the first cases as they were drawn, before above edited above rewritten."""
    columns = [
        Column(case.category, f"{case.old} to {case.wanted}", _squares(proxies, index), ("",) * len(METHODS))
        for index, case in enumerate(proxies.cases[:ON_SHEET])
    ]
    return sheet(columns, list(NAMES.values()), "Swaps, nothing read or checked", WARNING, across=4)


def _squares(proxies: Proxies, index: int) -> tuple[np.ndarray, ...]:
    """The middle squares of a case's pictures."""
    height, width = proxies.pictures["before"].shape[1:3]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return tuple(proxies.pictures[name][index, top : top + side, left : left + side] for name in METHODS)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table; the first column names the rows, numbers stand to the right."""
    line = lambda cells, tag: "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells)  # noqa: E731
    body = "".join(f"<tr class=first><th>{escape(row[0])}</th>{line(row[1:], 'td')}</tr>" for row in rows)
    return f"<div class=wide><table class=bars><tr>{line(head, 'th')}</tr>{body}</table></div>"
