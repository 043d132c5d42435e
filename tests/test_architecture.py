"""Which module may import what, and that every module imports without ComfyUI.

Held against syntax trees, with relative imports resolved: a linter's banned imports miss those. The planted violations
below prove the rules; the two tables are the rules.
"""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import supsae

ROOT = Path(__file__).resolve().parents[1]

NUMERIC = {"torch", "numpy", "einops", "safetensors", "yaml"}
PICTURES = {"PIL", "tqdm"}


class Room(NamedTuple):
    rooms: set[str]  # of this package, itself included
    libraries: set[str]  # third-party; the standard library is free


# A room that is absent here may not hold modules. "" is the root's own __init__.py.
ROOMS = {
    "": Room({"nodes"}, set()),
    "supsae_core": Room({"supsae_core"}, NUMERIC),
    "portraits": Room({"supsae_core", "portraits"}, NUMERIC | PICTURES),
    "training": Room({"supsae_core", "portraits", "training"}, NUMERIC | PICTURES),
    "nodes": Room({"supsae_core", "portraits", "training", "nodes"}, NUMERIC | PICTURES | {"comfy_api"}),
}

# The only doors to a host. Nobody else may import these.
DOORS = {
    "training/diffusers_host.py": {"diffusers", "transformers", "accelerate"},
    "training/diffusers_text.py": {"diffusers", "transformers"},
    "training/clip_host.py": {"transformers"},
    "nodes/comfy_host.py": {"comfy", "comfy_extras", "comfy_execution", "folder_paths", "latent_preview", "server"},
    "nodes/comfy_model.py": {"comfy", "latent_preview"},
    "nodes/routes.py": {"aiohttp"},
}

# tests and benchmarks stand outside the package and see it as anybody else does: by the name `supsae`.
OUTSIDE = {"tests", "benchmarks"}
HOST_TESTS = "tests/host/"
COMFYUI = DOORS["nodes/comfy_host.py"] | {"comfy_api", "nodes", "node_helpers", "execution", "comfyui_version"}

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


def relative_problem(path: Path, found: Import) -> str | None:
    """Say what is wrong with a relative import in a module of the package, if anything is."""
    up = len(path.parts) - found.level  # how many folders of the module's own path are left; 0 is the root
    if up < 0:
        return "leaves the package"
    target = (*path.parts[:up], *found.name.split("."))
    own = path.parts[0] if len(path.parts) > 1 else ""
    if target[0] not in ROOMS:
        return f"imports {target[0]!r}, which is no room of the package"
    if target[0] not in ROOMS[own].rooms:
        return f"{own or 'the root'} may not import {target[0]}"
    return None


def absolute_problem(path: Path, found: Import) -> str | None:
    """Say what is wrong with an absolute import in a module of the package, if anything is."""
    top = found.name.split(".")[0]
    own = path.parts[0] if len(path.parts) > 1 else ""
    if top == "supsae":
        return "inside the package imports are relative: ComfyUI loads it under another name"
    if top in sys.stdlib_module_names or top in ROOMS[own].libraries | DOORS.get(path.as_posix(), set()):
        return None
    doors = [door for door, libraries in DOORS.items() if top in libraries]
    return f"may not import {top}" + (f"; only {doors[0]} may" if doors else "")


def outside_problem(path: Path, found: Import) -> str | None:
    """Say what is wrong with an import in tests or benchmarks, if anything is."""
    top = found.name.split(".")[0]
    if path.as_posix().startswith(HOST_TESTS):
        return None
    if found.level or top in (set(ROOMS) | OUTSIDE):
        return "outside the package it is spelled supsae.…"
    return f"may not import {top}; only {HOST_TESTS} may" if top in COMFYUI else None


def problems_of(path: Path, tree: ast.AST) -> Iterator[str]:
    """Yield one line for every broken rule in one module."""
    room = path.parts[0] if len(path.parts) > 1 else ""
    outside = room in OUTSIDE
    if not outside and (room not in ROOMS or (room == "" and path.name != "__init__.py")):
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
    return [
        problem
        for path in modules(root)
        for problem in problems_of(path, ast.parse((root / path).read_text(encoding="utf-8"), str(path)))
    ]


def test_tree_keeps_the_directions():
    assert modules(ROOT), "no modules found: the test would prove nothing"
    assert violations(ROOT) == []


PLANTED = {
    "core looks up": ("supsae_core/a.py", "from ..training import solvers", "supsae_core may not import training"),
    "through the root": ("supsae_core/a.py", "from .. import portraits", "supsae_core may not import portraits"),
    "through two roots": ("supsae_core/deep/a.py", "from ...nodes import x", "supsae_core may not import nodes"),
    "portraits look up": ("portraits/a.py", "from ..training.fit import fit", "portraits may not import training"),
    "training looks up": ("training/a.py", "from ..nodes.sockets import S", "training may not import nodes"),
    "in a function": ("supsae_core/a.py", "def f():\n    from ..nodes import x", "supsae_core may not import nodes"),
    "while type checking": ("portraits/a.py", "if T:\n    from ..nodes import x", "portraits may not import nodes"),
    "root looks at core": ("__init__.py", "from .supsae_core import edits", "the root may not import supsae_core"),
    "tests from inside": ("training/a.py", "from ..tests import x", "'tests', which is no room"),
    "root's other names": ("training/a.py", "from .. import WEB_DIRECTORY", "'WEB_DIRECTORY', which is no room"),
    "out of the package": ("supsae_core/a.py", "from ...other import x", "leaves the package"),
    "own name": ("training/a.py", "import supsae.supsae_core", "imports are relative"),
    "undeclared library": ("supsae_core/a.py", "import scipy.linalg", "may not import scipy"),
    "pictures in core": ("supsae_core/a.py", "from PIL import Image", "may not import PIL"),
    "diffusers elsewhere": ("training/fit.py", "import diffusers", "only training/diffusers_host.py may"),
    "diffusers in portraits": ("portraits/a.py", "def f():\n    import diffusers.models", "may not import diffusers"),
    "comfy elsewhere": ("nodes/edit.py", "import comfy.utils", "only nodes/comfy_host.py may"),
    "folders elsewhere": ("nodes/edit.py", "def f():\n    import folder_paths", "only nodes/comfy_host.py may"),
    "requests elsewhere": ("nodes/edit.py", "from aiohttp import web", "only nodes/routes.py may"),
    "comfy in training": ("training/host.py", "from comfy_api.latest import io", "may not import comfy_api"),
    "comfy in the other door": ("training/diffusers_host.py", "import comfy", "may not import comfy"),
    "hidden import": ("training/a.py", "import importlib as i\ni.import_module('comfy')", "hides an import"),
    "builtin import": ("training/a.py", "__import__('comfy')", "hides an import"),
    "pickle": ("training/a.py", "def f():\n    import pickle", "not pickle"),
    "torch.load": ("training/a.py", "import torch\ntorch.load('x')", "torch.load is not used here"),
    "torch.load renamed": ("training/a.py", "from torch import load as read\nread('x')", "torch.load is not used here"),
    "torch.save": ("benchmarks/a.py", "import torch as t\nt.save(1, 'x')", "torch.save is not used here"),
    "numpy pickle": ("portraits/a.py", "import numpy\nnumpy.load('x', allow_pickle=True)", "allow_pickle"),
    "eval": ("supsae_core/a.py", "eval('1')", "eval is not used here"),
    "exec": ("tests/test_a.py", "exec('1')", "exec is not used here"),
    "test of a second copy": ("tests/test_a.py", "from supsae_core import edits", "spelled supsae.…"),
    "relative test": ("tests/training/test_a.py", "from ...training import fit", "spelled supsae.…"),
    "relative benchmark": ("benchmarks/a.py", "from . import b", "spelled supsae.…"),
    "host in a plain test": ("tests/test_a.py", "import comfy.sd", "only tests/host/ may"),
    "new room": ("utils/a.py", "", "lies in no room"),
    "loose module": ("helpers.py", "", "lies in no room"),
}

ALLOWED = {
    "own room": ("supsae_core/a.py", "from . import edits\nfrom .sites import Site"),
    "downwards": ("nodes/a.py", "from ..supsae_core import x\nfrom ..training.fit import y\nfrom .sockets import z"),
    "core's libraries": ("supsae_core/a.py", "import json\nimport torch.nn.functional as F\nimport yaml"),
    "method named eval": ("training/a.py", "model.eval()\nmodel.load(1)"),
    "the doors": ("training/diffusers_host.py", "def f():\n    from diffusers import StableDiffusion3Pipeline"),
    "the other door": ("nodes/comfy_host.py", "import comfy.model_management\nimport folder_paths"),
    "a node's schema": ("nodes/edit.py", "from comfy_api.latest import io"),
    "entrypoint": ("__init__.py", "async def f():\n    from .nodes import X"),
    "tests": ("tests/training/test_a.py", "import pytest\nfrom supsae.training import fit"),
    "host tests": ("tests/host/test_a.py", "import comfy.sd\nimport nodes"),
    "not ours": (".venv/lib/a.py", "import pickle"),
}


def plant(root: Path, path: str, source: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(source, encoding="utf-8")


@pytest.mark.parametrize(("path", "source", "report"), PLANTED.values(), ids=PLANTED)
def test_planted_violation_is_reported(tmp_path, path, source, report):
    plant(tmp_path, path, source)
    found = violations(tmp_path)
    assert len(found) == 1
    assert found[0].startswith(path) and report in found[0]


@pytest.mark.parametrize(("path", "source"), ALLOWED.values(), ids=ALLOWED)
def test_allowed_import_is_not_reported(tmp_path, path, source):
    plant(tmp_path, path, source)
    assert violations(tmp_path) == []


def dotted(path: Path) -> str:
    return ".".join(("supsae", *path.with_suffix("").parts)).removesuffix(".__init__")


IMPORTABLE = [dotted(path) for path in modules(ROOT) if path.parts[0] not in {*OUTSIDE, "nodes"}]

# Each module is imported as the first of the package, so that an import cycle cannot hide behind a luckier order;
# libraries stay loaded, because loading torch once per module would take a minute.
IMPORT_EACH = """
import importlib, json, sys, traceback

report = {}
for name in json.loads(sys.argv[1]):
    for loaded in [m for m in sys.modules if m.split(".")[0] == "supsae"]:
        del sys.modules[loaded]
    try:
        importlib.import_module(name)
        report[name] = ""
    except BaseException:
        report[name] = traceback.format_exc()
print("\\n" + json.dumps(report))
"""


def in_fresh_python(code: str, *arguments: str, cwd: Path) -> str:
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *arguments], cwd=cwd, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def import_report(tmp_path_factory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("elsewhere")
    return json.loads(in_fresh_python(IMPORT_EACH, json.dumps(IMPORTABLE), cwd=folder).splitlines()[-1])


@pytest.mark.parametrize("name", IMPORTABLE)
def test_module_imports_without_comfyui(import_report, name):
    assert import_report[name] == ""


def test_root_imports_cheaply(tmp_path):
    code = "import sys, supsae; print(sorted({'torch', 'numpy', 'yaml'} & set(sys.modules)))"
    assert in_fresh_python(code, cwd=tmp_path).strip() == "[]"


def test_root_leaves_the_nodes_to_the_entrypoint():
    # ComfyUI ignores comfy_entrypoint when this name exists, even as an empty dict.
    assert not hasattr(supsae, "NODE_CLASS_MAPPINGS")
    assert (ROOT / supsae.WEB_DIRECTORY).is_dir()


def test_these_tests_test_this_checkout():
    assert Path(supsae.__file__).resolve() == ROOT / "__init__.py"
    copies = {m for m in sys.modules if m.split(".")[0] in {"supsae_core", "portraits", "training", ROOT.name}}
    assert copies == set()
