"""Tests inside a real ComfyUI, on the CPU and without network.

They need a checkout at $COMFYUI_PATH (else ~/comfy/ComfyUI, where comfy-cli puts it) and its own interpreter:
$COMFYUI_PYTHON, else .venv or venv in the checkout. Without one they are skipped and the last lines of pytest say so.

`comfy_server`: a running server with a fresh copy of this checkout as a custom node, and a client for it.
`comfy_python`: run a file of scripts/ in ComfyUI's interpreter, `comfy` and `supsae` importable.
`browser`: a headless Chromium. `comfy_page`: opens ComfyUI's page in it, with the frontend that ComfyUI requires; tests
marked `every_frontend` run with each of $COMFYUI_FRONTENDS too (folders of the package comfyui_frontend_package,
separated as in $PATH).
"""

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import page
import pytest
from interpreter import Interpreter, ScriptError

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
START_TIMEOUT = 180  # seconds; 6 to 14 on an idle machine
RUN_TIMEOUT = 300  # seconds, for one prompt or one script
REMEDY = "set COMFYUI_PATH to a checkout, and COMFYUI_PYTHON to its interpreter if that is not its .venv"


class Comfy(NamedTuple):
    path: Path  # the checkout
    python: Path


def find_comfy() -> Comfy | str:
    """Find ComfyUI and its interpreter, or say in a sentence why not."""
    path = Path(os.environ.get("COMFYUI_PATH") or Path.home() / "comfy" / "ComfyUI").expanduser().absolute()
    if not (path / "main.py").is_file():
        return f"no ComfyUI at {path}: {REMEDY}"
    own = [path / venv / python for venv in (".venv", "venv") for python in ("bin/python", "Scripts/python.exe")]
    candidates = [Path(os.environ["COMFYUI_PYTHON"])] if os.environ.get("COMFYUI_PYTHON") else own
    found = [python for python in candidates if python.is_file()]
    return Comfy(path, found[0]) if found else f"no interpreter at {candidates[0]}: {REMEDY}"


COMFY = find_comfy()


def environment() -> dict[str, str]:
    """Return this process's environment without what would change the other interpreter."""
    ours = ("PYTHONPATH", "PYTHONHOME", "PYTHONWARNINGS", "VIRTUAL_ENV")
    return {name: value for name, value in os.environ.items() if name not in ours} | {"HF_HUB_OFFLINE": "1"}


def last_lines(path: Path, count: int = 60) -> str:
    return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-count:])


class Server:
    """A running ComfyUI. `base` holds its input/, output/, models/, user/; `log` is the file it writes."""

    def __init__(self, process: subprocess.Popen, url: str, base: Path, log: Path):
        self.process, self.url, self.base, self.log = process, url, base, log
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # never through a proxy

    def request(self, path: str, payload: Any = None) -> bytes:
        """GET `path`, or POST `payload` to it as JSON; raise RuntimeError with the server's own words if it refuses."""
        data = None if payload is None else json.dumps(payload).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"})
        try:
            with self._opener.open(request, timeout=60) as response:
                return response.read()
        except urllib.error.HTTPError as error:
            with error:
                raise RuntimeError(f"{path}: HTTP {error.code}: {refusal(error.read())}") from None

    def get(self, path: str) -> Any:
        return json.loads(self.request(path))

    def object_info(self, node: str | None = None) -> dict:
        """Return the schema of one node, or of all by id."""
        return self.get(f"/object_info/{node}")[node] if node else self.get("/object_info")

    def queue(self, prompt: dict) -> str:
        """Queue a workflow in API format and return its id."""
        return json.loads(self.request("/prompt", {"prompt": prompt}))["prompt_id"]

    def wait(self, prompt_id: str, timeout: float = RUN_TIMEOUT) -> dict:
        """Wait for a queued prompt and return its outputs by node id; raise RuntimeError with its error's text."""
        deadline = time.monotonic() + timeout
        while not (history := self.get(f"/history/{prompt_id}")):
            if self.process.poll() is not None:
                raise RuntimeError(f"ComfyUI ended with {self.process.returncode}:\n{last_lines(self.log)}")
            if time.monotonic() > deadline:
                raise TimeoutError(f"prompt {prompt_id} is not done after {timeout} s")
            time.sleep(0.1)
        entry = history[prompt_id]
        if entry["status"]["status_str"] != "success":
            raise RuntimeError(failure(entry["status"]["messages"]))
        return entry["outputs"]

    def run(self, prompt: dict, timeout: float = RUN_TIMEOUT) -> dict:
        """Queue a workflow in API format and wait for it."""
        return self.wait(self.queue(prompt), timeout)

    def interrupt(self) -> None:
        self.request("/interrupt", {})

    def view(self, file: dict) -> bytes:
        """Return the content of a file as the outputs name it: filename, subfolder, type."""
        return self.request("/view?" + urllib.parse.urlencode(file))


def refusal(body: bytes) -> str:
    """Spell the 400 of a prompt as text, one line an error."""
    try:
        answer = json.loads(body)
        lines = [f"{answer['error']['message']}: {answer['error']['details']}"]
        for node, report in answer["node_errors"].items():
            lines += [f"{report['class_type']} {node}: {e['message']}: {e['details']}" for e in report["errors"]]
        return "\n".join(lines)
    except (ValueError, KeyError, TypeError, AttributeError):
        return body.decode(errors="replace")


def failure(messages: list) -> str:
    """Spell the events of a failed prompt as text."""
    for event, data in messages:
        if event == "execution_error":
            where = f"{data['node_type']} {data['node_id']}"
            return f"{where}: {data['exception_type']}: {data['exception_message']}\n{''.join(data['traceback'])}"
        if event == "execution_interrupted":
            return f"interrupted at {data['node_type']} {data['node_id']}"
    return json.dumps(messages)


@pytest.fixture(scope="session")
def comfy() -> Comfy:
    if isinstance(COMFY, str):
        pytest.skip(COMFY)
    return COMFY


def copy_checkout(to: Path) -> None:
    """Copy what a clone would hold: tracked files, and new ones that git does not ignore."""
    if not (ROOT / ".git").exists():
        shutil.copytree(ROOT, to, ignore=shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "venv", "build"))
        return
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout
    for name in listed.split("\0"):
        if name and (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, to / name)


@contextmanager
def serving(comfy: Comfy, base: Path, *options: str | Path) -> Iterator[Server]:
    """Start a server with a copy of this checkout as its only custom node; end it."""
    for name in ("custom_nodes", "input", "output", "models"):
        (base / name).mkdir()
    copy_checkout(base / "custom_nodes" / "ComfyUI-SupSAE")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [comfy.python, "main.py", "--cpu", "--listen", "127.0.0.1", "--port", str(port), "--base-directory", base]
    command += ["--disable-api-nodes", "--disable-auto-launch", "--database-url", "sqlite:///:memory:", *options]
    streams = {"stdin": subprocess.DEVNULL, "stderr": subprocess.STDOUT}
    with (base / "server.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=comfy.path, env=environment(), stdout=log, **streams)
    try:
        server = Server(process, f"http://127.0.0.1:{port}", base, base / "server.log")
        wait_until_ready(server)
        yield server
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture(scope="session")
def comfy_server(comfy, tmp_path_factory):
    """A running Server."""
    with serving(comfy, tmp_path_factory.mktemp("comfyui")) as server:
        yield server


FRONTENDS = {"required": None} | {
    path.parent.name: path / "static"
    for path in map(Path, filter(None, os.environ.get("COMFYUI_FRONTENDS", "").split(os.pathsep)))
}
"""Name in a test's id → folder of the frontend, None for the one that ComfyUI requires."""


@pytest.fixture(scope="session")
def browser(comfy):
    """A headless Chromium."""
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
        used.append(opened_pages[key])
        used[-1].said.clear()
        used[-1].expected.clear()
        return used[-1]

    yield open_page
    assert [one for own in used for one in own.complaints()] == []


def wait_until_ready(server: Server) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while server.process.poll() is None and time.monotonic() < deadline:
        try:
            server.get("/system_stats")
            return
        except OSError:  # nobody listens yet
            time.sleep(0.2)
    pytest.fail(f"ComfyUI did not start within {START_TIMEOUT} s:\n{last_lines(server.log)}", pytrace=False)


@pytest.fixture(scope="session")
def comfy_python(comfy, tmp_path_factory) -> Iterator[Callable[..., Any]]:
    """Return `run(name, *arguments)`: run scripts/NAME.py in ComfyUI's interpreter, return what it told."""
    with Interpreter(comfy.python, comfy.path, tmp_path_factory.mktemp("scripts"), environment()) as interpreter:

        def run(script: str, *arguments: object, timeout: float = RUN_TIMEOUT, own_process: bool = False) -> Any:
            try:
                return interpreter.run(script, *arguments, timeout=timeout, own_process=own_process)
            except ScriptError as error:
                pytest.fail(str(error), pytrace=False)

        yield run


def is_here(path: Path) -> bool:
    return HERE in path.parents


def pytest_collection_modifyitems(items):
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


def pytest_terminal_summary(terminalreporter):
    def count(*outcomes: str) -> int:
        reports = [report for outcome in outcomes for report in terminalreporter.stats.get(outcome, [])]
        ids = {report.nodeid for report in reports if hasattr(report, "nodeid")}
        return sum(is_here(ROOT / nodeid.split("::")[0]) for nodeid in ids)

    ran, skipped = count("passed", "failed", "error", "xfailed", "xpassed"), count("skipped")
    why = COMFY if isinstance(COMFY, str) else COMFY.path
    terminalreporter.write_line(f"host tests: {ran} ran, {skipped} skipped ({why})", yellow=bool(skipped), bold=True)
