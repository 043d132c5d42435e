"""A picture's size as a command line spells it."""

import re


def picture_size(text: str) -> tuple[int, int]:
    """Return width and height of a size such as 128x128."""
    match = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text)
    if not match:
        raise ValueError(f"The size {text!r} cannot be read. Write width x height in pixels, such as 128x128.")
    return int(match[1]), int(match[2])
