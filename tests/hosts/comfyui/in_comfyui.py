"""Run scripts as ComfyUI sees the world: `python in_comfyui.py BASE_DIRECTORY [SCRIPT ARGUMENTS…]`.

Started by ComfyUI's interpreter in its checkout. `comfy` is on the CPU; the pack is importable as `supsae` and not on
sys.path, so that its nodes/ cannot hide ComfyUI's own module of that name; the modules in scripts/ are importable.

Without SCRIPT, which benchmarks give, it reads requests from stdin, one JSON object {"script": path, "arguments":
[text, …]} a line, and answers each with a line {"printed": text, "failed": traceback or ""}. What a script
leaves behind is put back.
"""

import copy
import gc
import importlib.util
import io
import json
import os
import random
import runpy
import sys
import traceback
from contextlib import redirect_stdout
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT, SCRIPTS = HERE.parents[2], HERE / "scripts"
base, *wanted = sys.argv[1:]
sys.path[0] = os.getcwd()

import comfy.options  # noqa: E402  # sys.path first

comfy.options.enable_args_parsing()
sys.argv = ["main.py", "--cpu", "--base-directory", base]
import comfy.cli_args  # noqa: E402  # parses sys.argv

comfy.options.enable_args_parsing(False)
import utils.extra_config  # noqa: E402, F401  # as main.py does: nodes.py puts comfy/ with its utils.py first on sys.path

sys.path.append(str(SCRIPTS))  # last: it hides nothing


def load_pack() -> None:
    """Import this checkout as `supsae`."""
    file = ROOT / "__init__.py"
    spec = importlib.util.spec_from_file_location("supsae", file, submodule_search_locations=[str(ROOT)])
    sys.modules["supsae"] = pack = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(pack)


def run(script: str, arguments: list[str]) -> None:
    """Run a script with nodes' grad mode and as a process of its own would: with its arguments and its name.

    Raises:
        AssertionError: with all that it expected and did not find.
    """
    import torch

    sys.argv = [script, *arguments]
    with torch.inference_mode():
        runpy.run_path(script, run_name="__main__")
    import script_parts

    if script_parts.WRONG:
        raise AssertionError("\n".join(script_parts.WRONG))


class World:
    """What a script may change and the next must not find changed: modules, ComfyUI's folders and models, seeds."""

    def __init__(self) -> None:
        import folder_paths

        self._folders, self._path = copy.deepcopy(folder_paths.folder_names_and_paths), list(sys.path)
        self._count = 0

    def renew(self) -> None:
        import comfy.model_management
        import folder_paths
        import numpy
        import torch

        for name in [name for name, module in sys.modules.items() if is_ours(name, module)]:
            del sys.modules[name]
        sys.path[:] = self._path
        folder_paths.folder_names_and_paths.clear()
        folder_paths.folder_names_and_paths.update(copy.deepcopy(self._folders))
        folder_paths.filename_list_cache.clear()
        self._count += 1
        folder_paths.set_output_directory(os.path.join(base, "output", str(self._count)))
        comfy.model_management.interrupt_current_processing(False)
        comfy.model_management.unload_all_models()
        gc.collect()
        gc.freeze()  # ComfyUI collects before every sampling: not all modules once more
        torch.set_num_threads(1)
        for seed in (random.seed, numpy.random.seed, torch.manual_seed):
            seed(0)
        load_pack()


def is_ours(name: str, module: object) -> bool:
    """Tell the pack's modules and those in scripts/ from ComfyUI's and the libraries'."""
    file = getattr(module, "__file__", None)
    return name.split(".")[0] == "supsae" or bool(file) and SCRIPTS in Path(file).parents


def serve() -> None:
    """Answer requests until stdin ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print of themselves must not stand between the answers
    world = World()
    for line in sys.stdin:
        request, printed, failed = json.loads(line), io.StringIO(), ""
        try:
            with redirect_stdout(printed):
                world.renew()
                run(request["script"], request["arguments"])
        except (Exception, SystemExit):
            failed = traceback.format_exc()
        print(json.dumps({"printed": printed.getvalue(), "failed": failed}), file=answers, flush=True)


if wanted:
    load_pack()
    run(wanted[0], wanted[1:])
else:
    serve()
