"""The prompts of a folder: lines of text files, and what pictures say that they were made from; strangers' work."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ..supsae_core import png_text
from ..supsae_core.files import DamagedError
from ..supsae_core.workflow_prompt import prompt_of

TEXTS, PICTURES = (".txt", ".caption"), (".png",)
"""Endings of files that are read."""
MOST_FILE = 16 * 1024 * 1024
"""Bytes of a text file."""
MOST_LETTERS = 20_000
"""Letters of a prompt; text encoders read a tenth of them."""
MOST_PROMPTS = 200_000
"""Prompts of a folder."""


class FoundPrompt(NamedTuple):
    """A prompt and where it stands."""

    file: str
    """below the folder"""
    line: int
    """from 1; 0 where a file is one prompt"""
    text: str


class LeftOut(NamedTuple):
    """A file, or a line of one, without a prompt that can be searched."""

    file: str
    why: str
    """a clause"""


def prompts_in(place: Path, whole: bool) -> tuple[list[FoundPrompt], list[LeftOut]]:
    """Return the prompts of a folder and of all folders below, or of one file, in the order of their names.

    Args:
        whole: a text file is one prompt, not one a line.

    Raises:
        ValueError: if there is no such place, or if it holds no prompt, or too many.
    """
    if not place.exists():
        raise ValueError(f"There is no {place}. Name a folder of text files and PNG pictures, or one of these.")
    found, left_out = list[FoundPrompt](), list[LeftOut]()
    for path in _files(place):
        name = shown(path.name if path == place else str(path.relative_to(place)))
        try:
            for number, text in _texts(path, whole):
                if len(text) <= MOST_LETTERS:
                    found.append(FoundPrompt(name, number, text))
                else:
                    line = f"{name}:{number}" if number else name
                    left_out.append(LeftOut(line, f"is longer than {MOST_LETTERS} letters"))
        except (DamagedError, OSError) as error:
            left_out.append(LeftOut(name, shown(str(getattr(error, "strerror", None) or error))))
        if len(found) > MOST_PROMPTS:
            raise ValueError(f"{place} holds more than {MOST_PROMPTS} prompts. Search one of its folders.")
    if not found:
        endings = ", ".join((*TEXTS, *PICTURES))
        reasons = f" {left_out[0].file} {left_out[0].why}." if left_out else ""
        raise ValueError(f"There is no prompt in {place}: files that end in {endings} are searched.{reasons}")
    return found, left_out


def _files(place: Path) -> Iterator[Path]:
    if not place.is_dir():
        yield place
        return
    for folder, below, names in os.walk(place):
        below.sort()
        ours = (Path(folder, name) for name in sorted(names) if Path(name).suffix.lower() in (*TEXTS, *PICTURES))
        yield from (path for path in ours if path.is_file())  # no pipe, which would never end


def _texts(path: Path, whole: bool) -> list[tuple[int, str]]:
    """Return the prompts of a file with their lines; raises ``DamagedError`` if it cannot have one."""
    if path.suffix.lower() in PICTURES:
        said = prompt_of(png_text.read_texts(path))
        if said is None:
            raise DamagedError("says no prompt that it was made from")
        return [(0, shown(said))]
    text = _text(path)
    lines = [(0, text)] if whole else list(enumerate(text.splitlines(), 1))
    return [(number, shown(line)) for number, line in lines if line.strip()]


def _text(path: Path) -> str:
    if path.stat().st_size > MOST_FILE:
        raise DamagedError(f"is larger than {MOST_FILE >> 20} MB")
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DamagedError("is no text in UTF-8") from error


def shown(text: str) -> str:
    """Return a text in one line without what would steer a terminal."""
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())
