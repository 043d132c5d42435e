"""The pages in docs/ speak of files, names and pictures that exist, and their recipes of names that can be imported."""

import ast
import importlib
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted((ROOT / "docs").glob("*.md"))
NAMED = re.compile(r"`([\w./]+\.(?:py|md|json|toml|svg|yaml))`")
LINKED = re.compile(r"\]\((?!https?:)([^)#]+)")
RECIPE = re.compile(r"Here `([\w/]+\.py)`.*?```python\n(.*?)```", re.DOTALL)
"""A file that a recipe adds, and its source, indented as the list is."""
RECIPES = dict(RECIPE.findall((ROOT / "docs/contributing.md").read_text(encoding="utf-8")))
WRITTEN = {"check.json", "capture.json", "results.json"}
"""Files that the product writes."""

assert PAGES and len(RECIPES) >= 4, "nothing would be proved"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_is_named_exists(page):
    text = page.read_text(encoding="utf-8")
    named = {name for name in NAMED.findall(text) if name not in RECIPES and name not in WRITTEN}
    missing = [name for name in named if not (ROOT / name).exists() and not list(ROOT.glob(f"*/**/{name}"))]
    assert missing == []
    assert [link for link in LINKED.findall(text) if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("path", RECIPES)
def test_a_recipe_imports_what_exists(path):
    package = ".".join(("supsae", *Path(path).parent.parts))
    found = [node for node in ast.walk(ast.parse(unindented(RECIPES[path]))) if isinstance(node, ast.ImportFrom)]
    ours = [node for node in found if node.level]
    assert ours
    for node in ours:
        module = importlib.import_module("." * node.level + (node.module or ""), package)
        assert [name.name for name in node.names if not hasattr(module, name.name)] == []


def unindented(source):
    lines = source.splitlines()
    indent = min(len(line) - len(line.lstrip()) for line in lines if line.strip())
    return "\n".join(line[indent:] for line in lines)


def test_the_picture_of_the_rooms_is_that_of_the_table(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    rooms = importlib.import_module("rooms")
    try:
        assert rooms.OUT.read_text(encoding="utf-8") == rooms.picture(), "run: python benchmarks/rooms.py"
    finally:
        del sys.modules["rooms"]


def test_the_routes_of_the_security_page_are_those_that_there_are():
    source = (ROOT / "nodes" / "routes.py").read_text(encoding="utf-8")
    there = [f"{method} {path}" for method, path in re.findall(r'\("(GET|POST)", "(/supsae/[\w/]+)"\)', source)]
    told = re.findall(
        r"^\| `((?:GET|POST) /supsae/[\w/]+)` \|", (ROOT / "SECURITY.md").read_text(encoding="utf-8"), re.M
    )
    assert there and sorted(told) == sorted(there)
