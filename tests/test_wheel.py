"""A built wheel holds the package's files, all of them, and nothing else."""

import re
import shutil
import subprocess
import sys
import zipfile
from email.parser import HeaderParser
from pathlib import Path

import pytest

from supsae.supsae_core.version import __version__

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = (
    "supsae_core", "training", "portraits", "drawing", "hosts", "evaluation", "cli", "nodes",
    "web", "example_workflows", "subgraphs", "locales",
)  # fmt: skip


def tree_files() -> list[str]:
    """List the checkout's files, what git ignores left out; without git, all but hidden and cached ones."""
    listing = ["git", "-c", "core.quotepath=off", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    if (ROOT / ".git").exists():
        names = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    else:
        ignored = re.compile(r"(^|/)\.|__pycache__/|\.egg-info/")
        names = [path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*")]
        names = [name for name in names if not ignored.search(name)]
    return sorted(name for name in set(names) if name and (ROOT / name).is_file())


def should_ship(files: list[str]) -> set[str]:
    roots = ("__init__.py", "__main__.py")
    made = {name for name in files if name in roots or name.split("/")[0] in SHIPPED}
    return {f"supsae/{name}" for name in made if not name.startswith("portraits/make/")}


def copy_tree(files: list[str], target: Path) -> Path:
    for name in files:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, target / name)
    return target


def build_wheel(tree: Path, out: Path) -> zipfile.ZipFile:
    """Build from a copy, never in the checkout: a stale build/ folder would ship yesterday's files. No network."""
    offline = ["--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "wheel", *offline, "--wheel-dir", out, tree]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = out.glob("*.whl")
    return zipfile.ZipFile(wheel)


def differences(wheel: zipfile.ZipFile, files: list[str]) -> list[str]:
    """List what the wheel lacks and what it has too much, metadata aside."""
    shipped = {name for name in wheel.namelist() if ".dist-info/" not in name}
    expected = should_ship(files)
    missing = [f"missing: {name}" for name in sorted(expected - shipped)]
    return missing + [f"too much: {name}" for name in sorted(shipped - expected)]


@pytest.fixture(scope="module")
def files() -> list[str]:
    return tree_files()


@pytest.fixture(scope="module")
def wheel(files, tmp_path_factory):
    with build_wheel(copy_tree(files, tmp_path_factory.mktemp("tree")), tmp_path_factory.mktemp("wheel")) as archive:
        yield archive


def test_wheel_is_the_tree(wheel, files):
    assert "supsae/supsae_core/__init__.py" in should_ship(files), "the listing is empty and would prove nothing"
    assert differences(wheel, files) == []


def test_wheel_metadata(wheel):
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    metadata = HeaderParser().parsestr(wheel.read(name).decode())
    assert metadata["Version"] == __version__
    assert all("extra ==" in requirement for requirement in metadata.get_all("Requires-Dist"))
    assert (ROOT / "requirements.txt").read_text(encoding="utf-8") == ""  # ComfyUI has everything; see pyproject.toml


def test_planted_differences_are_reported(files, tmp_path):
    # Two files that the lists in pyproject.toml cover, two that they forget, one list cut, one file outside the rooms.
    planted = {"web/deep/a.js", "portraits/weights/deep/a.json", "portraits/a.txt", "training/sub/a.py"}
    tree = copy_tree(files, tmp_path / "tree")
    for name in planted | {"loose.py"}:
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).touch()
    settings = (tree / "pyproject.toml").read_text(encoding="utf-8")
    (tree / "pyproject.toml").write_text(settings.replace('"web/**/*", ', ""), encoding="utf-8")
    files = [*files, *planted]
    with build_wheel(tree, tmp_path / "wheel") as archive:
        found = differences(archive, files)
    lost = {"portraits/a.txt", "training/sub/a.py"} | {name for name in files if name.startswith("web/")}
    assert found == [*(f"missing: supsae/{name}" for name in sorted(lost)), "too much: supsae/loose.py"]
