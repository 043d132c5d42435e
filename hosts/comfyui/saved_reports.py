"""What is told of a saved conditioning: what was edited, by which dictionary, of which text encoders."""

from __future__ import annotations

from collections.abc import Sequence

from ...supsae_core.editing.edits import Keep, spell_edit
from .saved_conditioning import StoredPart
from .saved_edits import DictionaryMark, SavedEdit


def saved_as(name: str, parts: Sequence[StoredPart]) -> str:
    """Return the report of a file that was written."""
    return f"saved as {name} in output/supsae/conditionings\n{told_of(parts)}"


def told_of(parts: Sequence[StoredPart], missing: Sequence[str] = ()) -> str:
    """Return a report, some lines an entry; ``missing`` are dictionaries that are not here."""
    lines = list[str]()
    for index, part in enumerate(parts):
        where = f"entry {index + 1}: " if len(parts) > 1 else ""
        lines += [f"{where}{line}" for line in _lines(part)]
    lines += [f"The dictionary {name} is not in models/supsae: only further edits need it." for name in missing]
    return "\n".join(lines)


def _lines(part: StoredPart) -> list[str]:
    batch, rows, width = part.shape
    one = f"{rows:d} rows of {width:d} numbers"
    size = one if batch == 1 else f"{batch:d} prompts, each {one}"
    lines = [f"{size}, and a pooled vector of {part.pooled:d}" if part.pooled else f"{size}, without a pooled vector"]
    if part.time != (0.0, 1.0):
        lines.append(f"from {part.time[0]:.0%} to {part.time[1]:.0%} of sampling")
    for mark in dict.fromkeys(one.mark for one in part.edits):
        edits = [one for one in part.edits if one.mark == mark]
        lines += [f"edited: {', '.join(_spelled(edits))}", _by(mark)]
    if not part.edits:
        lines.append("not edited")
    if part.left_out:
        names = ", ".join(part.left_out)
        lines.append(f"left out, since no file can hold it: {names}. Connect it again behind Load Conditioning.")
    return lines


def _spelled(edits: Sequence[SavedEdit]) -> list[str]:
    """Return edits as reports spell them, and behind them what was kept."""
    kept = dict.fromkeys(name for one in edits for name in one.kept)
    return [*(one.name for one in edits), *(spell_edit(Keep(name)) for name in kept)]


def _by(mark: DictionaryMark) -> str:
    encoders = ", ".join(mark.encoders)
    if not mark.file:
        return f"by a dictionary that was not saved, for the text encoders {encoders} of {mark.title}"
    return f"by the dictionary {mark.file}, for the text encoders {encoders} of {mark.title}"
