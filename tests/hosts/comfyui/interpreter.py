"""ComfyUI's interpreter, kept running between scripts: starting one takes seconds, a script often less than one."""

import json
import subprocess
import threading
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
SCRIPTS = HERE / "scripts"
TOLD = "TOLD "  # how the line begins that scripts/script_parts.py prints for a test


class ScriptError(Exception):
    """A script failed; the text is what it printed and its traceback."""


class Interpreter:
    """Runs the files in scripts/. The process starts with the first script, and again after one that ended it."""

    def __init__(self, python: Path, checkout: Path, folder: Path, environment: dict[str, str]) -> None:
        """Keep what a process needs; it has a base directory and a log in the folder, an empty one."""
        self._python, self._folder = python, folder
        self._where: dict[str, Any] = {"cwd": checkout, "env": environment, "text": True, "encoding": "utf-8"}
        self._process: subprocess.Popen | None = None
        self._started = 0

    def run(self, script: str, *arguments: object, timeout: float) -> Any:
        """Run scripts/`script`.py and return what it told, None if nothing; end the process after `timeout` s.

        Raises:
            ScriptError: if the script fails, takes too long or ends the process.
        """
        path, texts = str(SCRIPTS / f"{script}.py"), list(map(str, arguments))
        printed = self._ask(path, texts, timeout)
        lines = [line for line in printed.splitlines() if line.startswith(TOLD)]
        return json.loads(lines[-1].removeprefix(TOLD)) if lines else None

    def __enter__(self) -> "Interpreter":
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def _end(self) -> None:
        if self._process:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _ask(self, path: str, texts: list[str], timeout: float) -> str:
        process = self._process = self._process or self._start()
        assert process.stdin and process.stdout
        timer = threading.Timer(timeout, process.kill)
        timer.start()
        try:
            process.stdin.write(json.dumps({"script": path, "arguments": texts}) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        finally:
            timer.cancel()
        if not line:
            self._end()
            raise ScriptError(f"{path} ended the process, or took {timeout} s:\n{self._last_lines()}")
        answer = json.loads(line)
        if answer["failed"]:
            raise ScriptError(f"{answer['printed']}\n{answer['failed']}")
        return answer["printed"]

    def _start(self) -> subprocess.Popen:
        self._started += 1
        base = self._folder / str(self._started)
        base.mkdir()
        self._log = self._folder / f"{self._started}.log"
        with self._log.open("wb") as log:
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": log}
            return subprocess.Popen([self._python, HERE / "in_comfyui.py", base], **pipes, **self._where)

    def _last_lines(self) -> str:
        return "\n".join(self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-60:])
