"""A real ComfyUI with a copy of this checkout as its only custom node, on the CPU, and a client for it."""

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

import pytest

ROOT = Path(__file__).resolve().parents[3]
START_TIMEOUT = 180  # seconds; 6 to 14 on an idle machine
RUN_TIMEOUT = 300  # seconds, for one prompt or one script


class Comfy(NamedTuple):
    path: Path  # the checkout
    python: Path


def environment() -> dict[str, str]:
    """Return this process's environment without what would change the other interpreter."""
    ours = ("PYTHONPATH", "PYTHONHOME", "PYTHONWARNINGS", "VIRTUAL_ENV")
    return {name: value for name, value in os.environ.items() if name not in ours} | {"HF_HUB_OFFLINE": "1"}


def last_lines(path: Path, count: int = 60) -> str:
    return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-count:])


REMEDY = "set COMFYUI_PATH to a checkout, and COMFYUI_PYTHON to its interpreter if that is not its .venv"


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


class Server:
    """A running ComfyUI. `base` holds its input/, output/, models/, user/; `log` is the file it writes."""

    def __init__(self, process: subprocess.Popen, url: str, base: Path, log: Path):
        self.process, self.url, self.base, self.log = process, url, base, log
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # never through a proxy

    def ask(self, path: str, payload: Any = None, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
        """GET `path`, or POST `payload` to it, as JSON if it is not bytes; return status and answer."""
        data = payload if isinstance(payload, bytes | None) else json.dumps(payload).encode()
        request = urllib.request.Request(self.url + path, data, headers or {"Content-Type": "application/json"})
        try:
            with self._opener.open(request, timeout=60) as response:
                return response.status, response.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    def request(self, path: str, payload: Any = None) -> bytes:
        """Return the answer; raise RuntimeError with the server's own words if it refuses."""
        status, answer = self.ask(path, payload)
        if status >= 400:
            raise RuntimeError(f"{path}: HTTP {status}: {refusal(answer)}")
        return answer

    def get(self, path: str) -> Any:
        return json.loads(self.request(path))

    def object_info(self, node: str | None = None) -> dict:
        """Return the schema of one node, or of all by id."""
        return self.get(f"/object_info/{node}")[node] if node else self.get("/object_info")

    def queue(self, prompt: dict) -> str:
        """Queue a workflow in API format and return its id; raise RuntimeError if any node is refused.

        ComfyUI runs the outputs that are in order and says of the others only what is wrong.
        """
        body = self.request("/prompt", {"prompt": prompt})
        if json.loads(body)["node_errors"]:
            raise RuntimeError(refusal(body))
        return json.loads(body)["prompt_id"]

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

    def run(self, prompt: dict) -> dict:
        """Queue a workflow in API format and wait for it."""
        return self.wait(self.queue(prompt))

    def interrupt_once(self, prompt: dict, begun: Callable[[], bool]) -> None:
        """Queue a workflow, interrupt it as soon as it has begun, and wait; raise RuntimeError with where it was."""
        queued, deadline = self.queue(prompt), time.monotonic() + RUN_TIMEOUT
        while not begun() and time.monotonic() < deadline:
            time.sleep(0.02)
        self.request("/interrupt", {})
        self.wait(queued)

    def view(self, file: dict) -> bytes:
        """Return the content of a file as the outputs name it: filename, subfolder, type."""
        return self.request("/view?" + urllib.parse.urlencode(file))


def refusal(body: bytes) -> str:
    """Spell what was refused of a prompt as text, one line an error."""
    try:
        answer = json.loads(body)
        whole = answer.get("error", {"message": "Some outputs are ignored", "details": ""})
        lines = [f"{whole['message']}: {whole['details']}"]
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


def wait_until_ready(server: Server) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while server.process.poll() is None and time.monotonic() < deadline:
        try:
            server.get("/system_stats")
            return
        except OSError:  # nobody listens yet
            time.sleep(0.2)
    pytest.fail(f"ComfyUI did not start within {START_TIMEOUT} s:\n{last_lines(server.log)}", pytrace=False)
