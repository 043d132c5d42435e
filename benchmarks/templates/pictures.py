"""The picture beside a template that nobody could run: drawn, and saying so."""

from __future__ import annotations

from PIL import Image, ImageDraw

from supsae.drawing.sheet import font

SIZE = (776, 384)
GROUND, ROW, INK, PALE, TRACK, SAFE, BLUE = "#202127", "#2b2d35", "#f2f2f2", "#9a9ca4", "#464852", "#3d5c42", "#78b9ff"


def picture(title: str, rows: list[tuple[str, str, str]]) -> Image.Image:
    """Draw a template's title and its first rows: category, what the prompt says, what the mixer says."""
    made = Image.new("RGB", SIZE, GROUND)
    pen = ImageDraw.Draw(made)
    pen.text((38, 32), f"{title}: learn and edit", INK, font(40))
    pen.text((38, 92), "your words  >  its text encoders  >  sliders", PALE, font(22))
    for at, (category, before, after) in enumerate(rows):
        top = 142 + 62 * at
        pen.rounded_rectangle((36, top, 740, top + 50), 8, ROW)
        for left, text, colour in ((52, category, INK), (190, before, PALE), (310, after, BLUE), (676, "1.00", INK)):
            pen.text((left, top + 12), text, colour, font(22))
        pen.rounded_rectangle((430, top + 22, 650, top + 29), 3, TRACK)
        pen.rounded_rectangle((474, top + 22, 620, top + 29), 3, SAFE)
        pen.ellipse((568, top + 16, 587, top + 35), INK)
    pen.text((38, 346), f"Drawn, not generated: never run, for want of {title}'s weights.", PALE, font(17))
    return made
