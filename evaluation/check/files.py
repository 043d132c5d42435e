"""What a check leaves: its numbers, a page that needs no other file, and its sheet."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

from ...supsae_core.files import replacing, write_text
from ..report.blocks import document, photograph, table
from ..report.files import compact
from ..report.panel import panel, section
from ..text.metrics import plain
from .run import Checked


def write_check(made: Checked, out: Path) -> dict[str, Path]:
    """Write ``check.json``, ``check.html`` and ``check.png``; return where they are."""
    out.mkdir(parents=True, exist_ok=True)
    files = {"report": out / "check.html", "results": out / "check.json", "sheet": out / "check.png"}
    write_text(files["results"], compact(plain(made.json)) + "\n")
    write_text(files["report"], page(made))
    with replacing(files["sheet"]) as part:
        made.sheet.save(part, "PNG", optimize=True)
    return files


def page(made: Checked) -> str:
    """Return the check as a page."""
    known, rows = made.json, [[one.mark, one.what, one.told] for one in made.found]
    lead, *others = made.verdict.splitlines()
    more = "".join(f"<p class=lead>{escape(one)}</p>" for one in others)
    main = f"<header><h1>{escape(lead)}</h1>{more}</header>"
    main += f"<section>{table(('', 'check', 'found'), rows)}</section>"
    if made.swaps is not None:
        main += f"<section>{photograph(made.swaps, 'Swaps drawn three ways')}</section>"
    of = ", ".join(known["files"]) or known["family"] or "a model of no known family"
    footer = f"{known['tool']}, {known['host']}, torch {known['torch']}, {known['device']}: {of}. "
    footer += f"{known['settings']['encodings']} encodings, seed {known['settings']['seed']}, {known['table']} table"
    return document("SupSAE: does it work with this model", main, escape(footer))


def check_panel(made: Checked, report: str) -> dict[str, Any]:
    """Return what the node's panel shows; ``report`` stands below its fold."""
    rows = [(one.mark, one.what, one.told) for one in made.found]
    checks = section("Checks", ("", "check", "found"), rows)
    return panel(report, made.verdicts, "", [checks])
