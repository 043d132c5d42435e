"""Tests inside a real ComfyUI, on the CPU and without network.

They need a checkout at $COMFYUI_PATH (else ~/comfy/ComfyUI, where comfy-cli puts it) and its own interpreter:
$COMFYUI_PYTHON, else .venv or venv in the checkout. Without one they are skipped and the last lines of pytest say so.

`comfy_server`: a running server with a fresh copy of this checkout as a custom node, and a client for it.
`comfy_python`: run a file of scripts/ in ComfyUI's interpreter, `comfy` and `supsae` importable.
`browser`: a headless Chromium. `comfy_page`: opens ComfyUI's page in it, with the frontend that ComfyUI requires; tests
marked `every_frontend` run with each of $COMFYUI_FRONTENDS too (folders of the package comfyui_frontend_package,
separated as in $PATH).
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import page
import pytest
from interpreter import Interpreter, ScriptError
from mixer_page import Mixer
from server import COMFY, RUN_TIMEOUT, Comfy, environment, last_lines, serving

HERE = Path(__file__).resolve().parent


@pytest.fixture(scope="session")
def comfy() -> Comfy:
    if isinstance(COMFY, str):
        pytest.skip(COMFY)
    return COMFY


@pytest.fixture(scope="session")
def comfy_server(comfy, tmp_path_factory):
    with serving(comfy, tmp_path_factory.mktemp("comfyui")) as server:
        yield server


FRONTENDS = {"required": None} | {
    path.parent.name: path / "static"
    for path in map(Path, filter(None, os.environ.get("COMFYUI_FRONTENDS", "").split(os.pathsep)))
}
"""Name in a test's id → folder of the frontend, None for the one that ComfyUI requires."""


@pytest.fixture(scope="session")
def browser(comfy):
    pytest.importorskip("playwright", reason="no Playwright: pip install playwright")
    executable = page.find_chromium()
    if executable is None:
        pytest.skip("no Chromium or Chrome: install Debian's chromium, or set CHROMIUM to its path")
    with page.chromium(executable) as found:
        yield found


def pytest_generate_tests(metafunc):
    if "frontend" in metafunc.fixturenames:
        every = metafunc.definition.get_closest_marker("every_frontend")
        metafunc.parametrize("frontend", list(FRONTENDS) if every else ["required"], indirect=True, scope="session")


@pytest.fixture(scope="session")
def frontend(request, comfy, browser, tmp_path_factory):
    """A running Server with one of the frontends."""
    folder = FRONTENDS[request.param]
    if folder is None:
        yield request.getfixturevalue("comfy_server")
        return
    with serving(comfy, tmp_path_factory.mktemp("frontend"), "--front-end-root", folder) as server:
        yield server


@pytest.fixture(scope="session")
def opened_pages(frontend):
    """Pages by their settings: opening one takes seconds, loading another workflow does not."""
    found: dict[tuple, page.ComfyPage] = {}
    yield found
    for own in found.values():
        own.rest(False)
        own.page.context.close()


@pytest.fixture
def comfy_page(browser, frontend, opened_pages):
    """Return `open(**settings)`: ComfyUI's page, with nothing in it; at the end it must have had no complaint."""
    used = []

    def open_page(**settings: Any) -> page.ComfyPage:
        wanted = page.SETTINGS | settings
        for name, value in wanted.items():
            frontend.request(f"/api/settings/{name}", value)
        key = tuple(sorted(wanted.items()))
        if key not in opened_pages:
            opened_pages[key] = page.ComfyPage(browser.new_context(viewport=page.VIEWPORT).new_page(), frontend.url)
            opened_pages[key].open()
        opened_pages[key].rest(False)
        used.append(opened_pages[key])
        used[-1].said.clear()
        used[-1].expected.clear()
        return used[-1]

    yield open_page
    for own in used:
        own.rest()
    assert [one for own in used for one in own.complaints()] == []


@pytest.fixture
def open_mixer(comfy_page):
    """Return `open(rows, …)`: a Mixer."""

    def open_page(rows=None, vue=False, **options):
        found = Mixer(comfy_page(**{"Comfy.VueNodes.Enabled": vue}))
        found.load(rows, **options)
        return found

    return open_page


@pytest.fixture(scope="session")
def comfy_python(comfy, tmp_path_factory) -> Iterator[Callable[..., Any]]:
    """Return `run(name, *arguments)`: run scripts/NAME.py in ComfyUI's interpreter, return what it told."""
    with Interpreter(comfy.python, comfy.path, tmp_path_factory.mktemp("scripts"), environment()) as interpreter:

        def run(script: str, *arguments: object) -> Any:
            try:
                return interpreter.run(script, *arguments, timeout=RUN_TIMEOUT)
            except ScriptError as error:
                pytest.fail(str(error), pytrace=False)

        yield run


def is_here(path: Path) -> bool:
    return HERE in path.parents


@pytest.hookimpl(trylast=True)  # frontends are put in order first
def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: is_here(item.path) and "browser" in item.fixturenames)  # open pages take time at rest
    if isinstance(COMFY, str):
        for item in items:
            if is_here(item.path):
                item.add_marker(pytest.mark.skip(reason=COMFY))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    report = yield
    server = getattr(item, "funcargs", {}).get("comfy_server")
    if report.failed and server:
        report.sections.append(("ComfyUI's log, last lines", last_lines(server.log)))
    return report
