"""What one check found: a name, whether it holds, and the sentence that says it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath, PureWindowsPath
from types import MappingProxyType
from typing import Any, NamedTuple

TICK, CROSS, NOT_TRIED = "✓", "✗", "–"
"""Before a line: it holds, it does not, nobody looked."""
_PATH = re.compile(r"(?:[A-Za-z]:)?[\\/](?:[^\s'\"\\/:]+[\\/])+[^\s'\"]*")


class CheckLine(NamedTuple):
    """One line of the report."""

    what: str
    """what was looked at, in a word or two"""
    holds: bool | None
    """None if it was not tried"""
    told: str
    """a sentence, with its number"""
    numbers: Mapping[str, Any] = MappingProxyType({})
    """JSON: what was measured"""

    @property
    def mark(self) -> str:
        """The sign before its line."""
        return NOT_TRIED if self.holds is None else TICK if self.holds else CROSS


def failed(what: str, error: Exception) -> CheckLine:
    """Return a check that could not be finished, with its reason and no folder of anybody's machine."""
    reason = without_folders(str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__)
    return CheckLine(what, False, reason, {"error": type(error).__name__})


def without_folders(text: str) -> str:
    """Return a text in which paths are file names alone."""
    return _PATH.sub(lambda found: file_name(found.group()), text)


def file_name(path: str) -> str:
    """Return the last part of a path of any system."""
    return PurePosixPath(PureWindowsPath(path).as_posix()).name
