"""Run a script inside a real ComfyUI: of $COMFYUI_PATH, else of ~/comfy/ComfyUI, with the interpreter of its .venv."""

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

LAUNCHER = Path(__file__).resolve().parents[1] / "tests" / "hosts" / "comfyui" / "in_comfyui.py"


def run(script: str, *arguments: object) -> Any:
    """Return the JSON that a script prints as its last line."""
    comfy = Path(os.environ.get("COMFYUI_PATH") or Path.home() / "comfy" / "ComfyUI")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "script.py")
        file.write_text(script, encoding="utf-8")
        command = [comfy / ".venv" / "bin" / "python", LAUNCHER, folder, file, *map(str, arguments)]
        done = subprocess.run(command, cwd=comfy, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])
