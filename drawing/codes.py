"""Pictures of a dictionary, drawn with Pillow alone: ComfyUI ships no plotting library."""

import torch
from einops import rearrange, repeat
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from torch.nn import functional as F

from ..supsae_core.dictionary.model import Dictionary
from .sheet import font

PAPER, INK, FAINT = (255, 255, 255), (32, 34, 40), (150, 154, 164)
WARM, COLD = (196, 46, 58), (38, 92, 176)
"""Colours of a cosine of 1 and of −1; 0 is paper."""
SIDE = 900
"""Pixels that the matrix may take before its cells shrink below their best size."""
MARGIN = 14


def cosine_picture(dictionary: Dictionary) -> Image.Image:
    """Draw the cosines between the codes of all concepts; lines part the categories.

    Unlike concepts should be pale, and a category's own values cold: they exclude one another.
    """
    cosines = cosine_matrix(dictionary.codes)
    count = len(cosines)
    cell = max(6, min(26, SIDE // count))
    face, title = font(max(9, min(15, cell - 5))), font(16)
    names = _labels(dictionary, cell)
    left = MARGIN + max(round(face.getlength(name)) for name in names) + 8
    top = MARGIN + 28
    side = cell * count
    picture = Image.new("RGB", (max(left + side + MARGIN, 480), top + side + left + 34), PAPER)
    pen = ImageDraw.Draw(picture)
    pen.text((MARGIN, MARGIN - 4), "Cosines between the concepts' codes", INK, title)
    cells = Image.fromarray(colours(cosines).numpy()).resize((side, side), Image.Resampling.NEAREST)
    picture.paste(cells, (left, top))
    _borders(pen, dictionary, left, top, cell)
    _write(picture, names, face, left, top, cell)
    _legend(picture, left, top + side + left + 4)
    return picture


def cosine_matrix(codes: Tensor) -> Tensor:
    """Return (K, K) cosines of codes (K, r); a concept without a code has cosine 0 with all."""
    directions = F.normalize(codes.float(), dim=1)
    return directions @ directions.T


def _labels(dictionary: Dictionary, cell: int) -> list[str]:
    """Every concept's spelling, or where there is no room for that each category's name at its first concept."""
    if cell >= 12:
        return [str(concept) for concept in dictionary.table.concepts]
    first = {members[0]: name for name, members in dictionary.table.categories.items()}
    return [first.get(index, "") for index in range(len(dictionary.table))]


def colours(values: Tensor) -> Tensor:
    """Map cosines to bytes (…, 3)."""
    values = rearrange(values, "... -> ... 1")
    ends = torch.where(values > 0, torch.tensor(WARM), torch.tensor(COLD)).float()
    share = values.abs().clamp(max=1)
    return (torch.tensor(PAPER) * (1 - share) + ends * share).round().byte()


def _borders(pen: ImageDraw.ImageDraw, dictionary: Dictionary, left: int, top: int, cell: int) -> None:
    side = cell * len(dictionary.table)
    for members in dictionary.table.categories.values():
        at = cell * members[0]
        pen.line([(left + at, top), (left + at, top + side)], FAINT)
        pen.line([(left, top + at), (left + side, top + at)], FAINT)
    pen.rectangle([left, top, left + side, top + side], outline=INK)


def _write(
    picture: Image.Image,
    names: list[str],
    face: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    left: int,
    top: int,
    cell: int,
) -> None:
    """Write the names left of the rows, and turned by a quarter under the columns."""
    below = Image.new("RGB", (left - 8, cell * len(names)), PAPER)
    turned = ImageDraw.Draw(below)
    pen = ImageDraw.Draw(picture)
    for index, name in enumerate(names):
        middle = cell * index + cell // 2
        at = round(face.getlength(name))
        height = face.getbbox(name or "x")[3]
        pen.text((left - 8 - at, top + middle - height // 2 - 1), name, INK, face)
        turned.text((left - 8 - at, middle - height // 2 - 1), name, INK, face)
    picture.paste(below.transpose(Image.Transpose.ROTATE_90), (left, top + cell * len(names) + 6))


def _legend(picture: Image.Image, left: int, top: int) -> None:
    pen, small = ImageDraw.Draw(picture), font(12)
    bar = colours(repeat(torch.linspace(-1, 1, 160), "across -> down across", down=12))
    pen.text((left, top), "-1", INK, small)
    picture.paste(Image.fromarray(bar.contiguous().numpy()), (left + 24, top + 2))
    pen.text((left + 192, top), "1", INK, small)
