"""What a run leaves: its numbers, the page and the plots as files, and a few lines for the shell."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...supsae_core.files import replacing, write_text
from ..intervals import Interval
from ..pictures.methods import OURS, REWRITE
from ..results import Results
from ..text.cases import SPLITS
from . import reconstruction, rows
from .checks import KEYS
from .methods import Json, pairs
from .numbers import figure, ranged
from .page import page
from .plots import plots


def write(found: Results, out: Path) -> dict[str, Path]:
    """Write ``results.json``, the page and its plots; return where they are."""
    out.mkdir(parents=True, exist_ok=True)
    files = {"results": out / "results.json", "report": out / "report.html"}
    write_text(files["results"], compact(found.results) + "\n")
    write_text(files["report"], page(found))
    for name, picture in plots(found).items():
        files[name] = out / f"{name}.png"
        with replacing(files[name]) as part:
            picture.save(part, "PNG")
    return files


def compact(value: Any, depth: int = 0) -> str:
    """Return JSON with every innermost object or list on one line."""
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    if not any(isinstance(one, dict | list | tuple) for one in items):
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    inside, close = "\n" + " " * (depth + 1), "\n" + " " * depth
    if isinstance(value, dict):
        rows = [f"{json.dumps(name, ensure_ascii=False)}: {compact(one, depth + 1)}" for name, one in value.items()]
        return f"{{{inside}{f',{inside}'.join(rows)}{close}}}"
    return f"[{inside}{f',{inside}'.join(compact(one, depth + 1) for one in value)}{close}]"


def summary(results: Json) -> str:
    """Return the key figures in lines."""
    sections = results["sections"]
    made = list(_headline(sections["headline"])) if "headline" in sections else []
    if "rows" in sections:
        made += rows.lines(sections["rows"])
    if "reconstruction" in sections:
        made += reconstruction.lines(sections["reconstruction"])
    if "text" in sections:
        made += _text(sections["text"])
    if "proxies" in sections:
        made += [sections["proxies"]["proxy"], "CLIP sees the words' change in the picture, −1 … 1"]
        told = {name: figure(Interval.parse(one)) for name, one in sections["proxies"]["clip_direction"].items()}
        made += [f"  {name}: {said}" for name, said in told.items()]
    return "\n".join(made)


def _headline(section: Json) -> Iterator[str]:
    rows = [row for method, *both in pairs(section["rows"]) if method in (OURS, REWRITE) for row in both if row]
    asked = f"{section['split']}, {rows[0]['count']} swaps"
    yield f"{asked:<32}{'success':<20}{'all else kept':<20}both (95 %)"
    for row in rows:
        name = row["method"] + (" with the lock" if row["lock"] else "")
        shares = "".join(f"{ranged(Interval.parse(row[key])):<20}" for key in ("success", "kept", "both"))
        yield f"  {name:<30}{shares}".rstrip()


def _text(section: Json) -> Iterator[str]:
    for split, one in section["splits"].items():
        located, named = (ranged(Interval.parse(one[key])) for key in ("located", "named"))
        yield f"{one['swaps']} {SPLITS[split]}"
        yield f"  found in the rows, concept and words: {located}; the concept alone: {named}"
        width = max(map(len, one["parts"]))
        for part, found in one["parts"].items():
            told = [f"{name.lower()} {figure(found[key])}" for key, name in KEYS.items() if found[key] is not None]
            yield f"  {part:<{width}}  {', '.join(told)}"
    yield f"strength 0 leaves the very same tensors: {ranged(Interval.parse(section['strength_0_unchanged']))}"
    poor = {name: one["poor"] for name, one in section["concepts"].items() if one["poor"]}
    yield f"poorly learnt: {len(poor)} of {len(section['concepts'])} concepts"
    yield from (f"  {name}: {why}" for name, why in poor.items())
    yield from section["notes"]
