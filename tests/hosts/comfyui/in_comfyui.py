"""Run a script as ComfyUI sees the world: `python in_comfyui.py BASE_DIRECTORY SCRIPT ARGUMENTS…`.

Started by ComfyUI's interpreter in its checkout. `comfy` is on the CPU; the pack is importable as `supsae` and not on
sys.path, so that its nodes/ cannot hide ComfyUI's own module of that name; the helpers in this folder are importable.
"""

import importlib.util
import os
import runpy
import sys
from pathlib import Path

base, script, *arguments = sys.argv[1:]
sys.path[0] = os.getcwd()

import comfy.options  # noqa: E402  # sys.path first

comfy.options.enable_args_parsing()
sys.argv = ["main.py", "--cpu", "--base-directory", base]
import comfy.cli_args  # noqa: E402  # parses sys.argv

comfy.options.enable_args_parsing(False)
import utils.extra_config  # noqa: E402, F401  # as main.py does: nodes.py puts comfy/ with its utils.py first on sys.path

sys.path.append(str(Path(__file__).resolve().parent))  # last: it hides nothing
root = Path(__file__).resolve().parents[3]
spec = importlib.util.spec_from_file_location("supsae", root / "__init__.py", submodule_search_locations=[str(root)])
sys.modules["supsae"] = pack = importlib.util.module_from_spec(spec)
spec.loader.exec_module(pack)

sys.argv = [script, *arguments]
runpy.run_path(script, run_name="__main__")
