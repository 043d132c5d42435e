"""What counts as a fault: anything but a result or a sentence of ours, too long, or too much memory."""

from __future__ import annotations

import re
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

SENTENCE = re.compile(r"(?s).{20,}[.?)!]")
"""How a refusal reads."""
FOREIGN = re.compile(
    r"object has no attribute|unsupported operand|not subscriptable|could not determine|size of tensor|positional arg"
    r"|invalid literal|codec can't|unhashable|list index|must be str|expected str|Traceback"
)
"""What Python and torch say, and a person should not have to read."""
SECONDS, MEGABYTES = 2.0, 500.0
"""Of one thread, and of memory, that one input may take."""
SHOWN = 200
"""Characters of a fault that are printed."""


class Attempt(NamedTuple):
    """What came of one input."""

    result: Any
    """None if it was refused"""
    refused: str
    """with what sentence; empty if it was not"""


@dataclass
class Tally:
    """One row of the table."""

    test: str
    count: int = 0
    faults: list[str] = field(default_factory=list)
    worst_seconds: float = 0.0
    worst_input: str = ""

    def fault(self, what: str) -> None:
        """Note a fault."""
        self.faults.append(what)

    def attempt(self, said: str, call: Callable[[], Any], seconds: float = SECONDS) -> Attempt:
        """Try one input; ``said`` names it."""
        self.count += 1
        began, before = time.process_time(), peak_megabytes()
        refused, result = "", None
        try:
            result = call()
        except (ValueError, OSError) as error:
            refused = str(error)
            if type(error) not in (ValueError, OSError) and type(error).__module__ == "builtins":
                self.fault(f"{said}: {type(error).__name__}: {refused}")
            elif not SENTENCE.fullmatch(refused) or FOREIGN.search(refused):
                self.fault(f"{said}: no sentence: {refused!r}")
        except Exception as error:
            self.fault(f"{said}: {type(error).__name__}: {error}")
            refused = "fault"
        took, more = time.process_time() - began, peak_megabytes() - before
        if took > self.worst_seconds:
            self.worst_seconds, self.worst_input = took, said
        if took > seconds:
            self.fault(f"{said}: took {took:.1f} s")
        if more > MEGABYTES:
            self.fault(f"{said}: took {more:.0f} MB")
        return Attempt(result, refused)


def peak_megabytes() -> float:
    """Return the most memory that this process ever held."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def table(rows: list[Tally]) -> str:
    """Return the rows as a table in Markdown."""
    lines = ["| test | n | faults | worst case |", "|---|---|---|---|"]
    for row in rows:
        worst = row.faults[0] if row.faults else f"{row.worst_seconds:.2f} s: {row.worst_input}"
        shown = " ".join(worst.replace("|", "¦").split())
        lines.append(f"| {row.test} | {row.count} | {len(row.faults)} | {shown[:SHOWN]} |")
    return "\n".join(lines)
