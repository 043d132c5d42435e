"""Write the templates that learn and edit for every family with stock loaders: ``python -m benchmarks.templates``.

The pattern is ``example_workflows/SD3.5 - learn and edit.json``, which is changed by hand; the others follow from it
and from ``recipes.py``. Run it again after a change of either.
"""

import json
from pathlib import Path
from typing import Any

from supsae.supsae_core.editing.mix import SayRow
from supsae.supsae_core.editing.mix_text import parse_mix
from supsae.supsae_core.table.parsing import parse_table

from .derived import AT, PATTERN, derived
from .graphs import node_of
from .pictures import picture
from .recipes import RECIPES

FOLDER = Path(__file__).resolve().parents[2] / "example_workflows"
MIXER, PROMPT = 613, 611


def pattern() -> dict[str, Any]:
    """Read the template that the others are made of."""
    return json.loads((FOLDER / f"{PATTERN}.json").read_text(encoding="utf-8"))


def changes(workflow: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return what the pattern's mixer changes: category, the prompt's concept, the mixer's."""
    table = parse_table(node_of(workflow, AT.table)["widgets_values"][0])
    rows = parse_mix(node_of(workflow, MIXER)["widgets_values"][0]).rows
    prompt = node_of(workflow, PROMPT)["widgets_values"][0]
    said = {one.category: one.name for one in table.concepts if any(phrase in prompt for phrase in one.phrases)}
    return [(name, said[name], row.concept) for name, row in rows.items() if isinstance(row, SayRow)]


def main() -> None:
    """Write a workflow and a picture a recipe."""
    known = pattern()
    for recipe in RECIPES:
        text = json.dumps(derived(known, recipe), indent=1, ensure_ascii=False)
        (FOLDER / f"{recipe.name}.json").write_text(text + "\n", encoding="utf-8")
        picture(recipe.title, changes(known)).save(FOLDER / f"{recipe.name}.jpg", quality=88)
        print(recipe.name)


if __name__ == "__main__":
    main()
