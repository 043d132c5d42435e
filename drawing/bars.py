"""What a prompt says as a picture of bars, drawn with Pillow alone."""

from collections.abc import Sequence
from typing import NamedTuple

from PIL import Image, ImageDraw

from ..supsae_core.reading.prompt_report import PromptReport, Said, shares_of
from .sheet import FAINT, INK, MARGIN, PAPER, font

FOUND, LEFT_OVER, TRACK = (64, 122, 178), (206, 132, 60), (232, 230, 224)
"""Colours of a score, of a share that is not explained, and of the room behind a bar."""
WIDTH, LINE = 860, 28
LABEL, BAR = 210, 320
"""Pixels for names, and for the longest bar."""
PANELS = 8
"""Prompts drawn; a picture of more would be too tall to read."""


class Panel(NamedTuple):
    """One prompt of the picture."""

    title: str
    """empty if there is no other"""
    report: PromptReport


def prompt_picture(panels: Sequence[Panel]) -> Image.Image:
    """Draw one block of bars per prompt: scores of what was found, categories left open, shares not explained."""
    shown = panels[:PANELS]
    heights = [_height(panel) for panel in shown]
    more = len(panels) - len(shown)
    made = Image.new("RGB", (WIDTH, 2 * MARGIN + sum(heights) + (LINE if more else 0)), PAPER)
    pen, top = ImageDraw.Draw(made), MARGIN
    longest = max((said.score - panel.report.least for panel in shown for said in panel.report.said), default=1.0)
    for panel, height in zip(shown, heights, strict=True):
        _panel(pen, panel, top, longest)
        top += height
    if more:
        pen.text((MARGIN, top), f"and {more} more, in the report", FAINT, font(15))
    return made


def _height(panel: Panel) -> int:
    report = panel.report
    lines = max(len(report.said), 1) + bool(report.unmentioned) + 1 + len(shares_of(report))
    return LINE * (lines + bool(panel.title)) + 3 * LINE // 2


def _panel(pen: ImageDraw.ImageDraw, panel: Panel, top: int, longest: float) -> None:
    report = panel.report
    if panel.title:
        pen.text((MARGIN, top), panel.title, INK, font(19))
        top += LINE
    for said in report.said:
        _bar(pen, top, said.concept, (said.score - report.least) / longest, FOUND)
        pen.text((MARGIN + LABEL + BAR + 14, top + 3), _beside(said), FAINT, font(15))
        top += LINE
    if not report.said:
        pen.text((MARGIN, top + 2), "none of the dictionary's concepts", INK, font(16))
        top += LINE
    if report.unmentioned:
        pen.text((MARGIN, top + 2), f"not mentioned: {', '.join(report.unmentioned)}", FAINT, font(15))
        top += LINE
    pen.text((MARGIN, top + LINE // 2), "not explained by what was found", INK, font(16))
    top += 3 * LINE // 2
    for name, share in shares_of(report):
        _bar(pen, top, name, share, LEFT_OVER)
        pen.text((MARGIN + LABEL + BAR + 14, top + 3), f"{share:.0%}", FAINT, font(15))
        top += LINE


def _beside(said: Said) -> str:
    weight = "" if said.weight == 1 else f", weight {said.weight:.2f}"
    return f"“{said.phrase}”{weight}"


def _bar(pen: ImageDraw.ImageDraw, top: int, name: str, share: float, colour: tuple[int, int, int]) -> None:
    """Draw a name and a bar of a share of the longest."""
    left, bottom = MARGIN + LABEL, top + LINE - 8
    pen.text((MARGIN, top + 2), name, INK, font(16))
    pen.rectangle([left, top + 4, left + BAR, bottom], fill=TRACK)
    if share > 0:
        pen.rectangle([left, top + 4, left + max(round(BAR * min(share, 1.0)), 1), bottom], fill=colour)
