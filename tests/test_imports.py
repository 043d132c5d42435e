"""Every module imports without ComfyUI, and what nodes import without diffusers."""

import ast
import json
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("supsae_core", "drawing", "portraits", "training", "hosts", "evaluation", "cli")


def dotted(path: Path) -> str:
    return ".".join(("supsae", *path.with_suffix("").parts)).removesuffix(".__init__")


FILES = [path.relative_to(ROOT) for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]
IMPORTABLE = ["supsae", *(dotted(path) for path in FILES if path.parts[:2] != ("hosts", "comfyui"))]

IMPORT_EACH = """
import importlib, json, sys, traceback

report = {}
for name in json.loads(sys.argv[1]):
    try:
        importlib.import_module(name)
        report[name] = ""
    except BaseException:
        report[name] = traceback.format_exc()
print("\\n" + json.dumps(report))
"""


def imported(path: Path) -> set[str]:
    """Return our modules that a file imports at its top."""
    found, package = set(), list(path.parts[:-1])
    for node in ast.parse((ROOT / path).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom) and node.level:
            room = [*package[: len(package) - node.level + 1], *(node.module or "").split(".")]
            base = ".".join(("supsae", *filter(None, room)))
            inside = {f"{base}.{alias.name}" for alias in node.names} & set(IMPORTABLE)
            found |= inside or {base}
    return found


def in_fresh_python(code: str, *arguments: str, cwd: Path) -> str:
    command = [sys.executable, "-W", "error", "-c", code, *arguments]
    result = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.slow
def test_modules_import_without_comfyui(tmp_path):
    printed = in_fresh_python(IMPORT_EACH, json.dumps(IMPORTABLE), cwd=tmp_path)
    assert {name: why for name, why in json.loads(printed.splitlines()[-1]).items() if why} == {}


def circles(imports: dict[str, set[str]]) -> list[str]:
    """Return the modules of a circle of imports, if there is one."""
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def test_no_order_of_imports_can_fail():
    imports = {dotted(path): imported(path) for path in FILES}
    assert sum(map(len, imports.values())) > 500 and circles(imports) == []
    imports["supsae.supsae_core.table.concepts"] |= {"supsae.training.fit"}
    assert {"supsae.supsae_core.table.concepts", "supsae.training.fit"} <= set(circles(imports))


# ComfyUI has none of these. A module that imports one of them at its top may not be on the way to a node.
WITHOUT = """
import importlib, sys

for library in ("diffusers", "transformers", "accelerate"):
    sys.modules[library] = None
for name in sys.argv[1:]:
    importlib.import_module(name)
"""


def test_what_nodes_import_needs_no_diffusers(tmp_path):
    found = set()
    for path in (ROOT / "nodes").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level == 2 and node.module:
                found.add(f"supsae.{node.module}")
    wanted = sorted(name for name in found if name in IMPORTABLE)
    assert "supsae.evaluation.pictures.run" in wanted, "nothing would be proved"
    in_fresh_python(WITHOUT, *wanted, cwd=tmp_path)


def test_root_imports_cheaply(tmp_path):
    code = "import sys, supsae; print(sorted({'torch', 'numpy', 'yaml'} & set(sys.modules)))"
    assert in_fresh_python(code, cwd=tmp_path).strip() == "[]"
