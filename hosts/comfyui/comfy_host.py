"""The one door to ComfyUI: its CLIP objects as text hosts, Portraits' encoders as a CLIP, folders, progress."""

from __future__ import annotations

import itertools
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import comfy.model_management
import comfy.sd
import comfy.sd1_clip
import comfy.text_encoders.sd3_clip
import comfy.utils
import folder_paths
import numpy as np
import torch
from comfy_execution.graph import ExecutionBlocker
from comfy_execution.utils import get_executing_context
from PIL import Image
from server import PromptServer
from torch import Tensor, nn

from ...portraits import captions, text
from ...portraits.paths import WEIGHTS
from ...supsae_core.encoders.slots import FORMATS, TextFormat, rows_of
from ...supsae_core.host import Progress
from ...supsae_core.table.prompts import PLAIN, Wording

DICTIONARIES = "supsae"
"""The folder kind of dictionaries: models/supsae, extra_model_paths.yaml, and the pack's own."""


# --- folders and files ---------------------------------------------------------------------------------------------


def register_folders() -> None:
    """Make the pack's weights and dictionaries known; what extra_model_paths.yaml said before keeps its place."""
    for kind in ("diffusion_models", "vae"):
        folder_paths.add_model_folder_path(kind, str(WEIGHTS / kind))
    folder_paths.add_model_folder_path(DICTIONARIES, str(Path(folder_paths.models_dir) / DICTIONARIES))
    folder_paths.add_model_folder_path(DICTIONARIES, str(WEIGHTS / DICTIONARIES))
    # A kind that add_model_folder_path makes up lists files of every extension.
    paths, _ = folder_paths.folder_names_and_paths[DICTIONARIES]
    folder_paths.folder_names_and_paths[DICTIONARIES] = (paths, {".safetensors"})


def dictionary_names() -> list[str]:
    """List the dictionary files, as a loader shows them."""
    return folder_paths.get_filename_list(DICTIONARIES)


def dictionary_file(name: str) -> Path:
    """Find a dictionary by the name that the loader shows."""
    found = folder_paths.get_full_path(DICTIONARIES, name)
    if found is None:
        known = ", ".join(dictionary_names()) or "none"
        raise ValueError(f"There is no dictionary {name!r} in models/{DICTIONARIES}. There are: {known}.")
    return Path(found)


def dictionary_folders() -> list[Path]:
    """List the folders of dictionaries; the first is the one that new files go to, the pack's own is the last."""
    own, paths = WEIGHTS / DICTIONARIES, [Path(path) for path in folder_paths.get_folder_paths(DICTIONARIES)]
    return [*(path for path in paths if path != own), own]


def free_dictionary_file(stem: str) -> Path:
    """Name a file that no loader shows yet: one of the pack's own names would hide that."""
    taken = {name.casefold() for name in dictionary_names()}
    numbered = (stem if number == 1 else f"{stem}_{number}" for number in itertools.count(1))
    name = next(one for one in numbered if f"{one}.safetensors".casefold() not in taken)
    return new_dictionary_file(name, lambda _: False)


def new_dictionary_file(name: str, replace: Callable[[Path], bool]) -> Path:
    """Name the file to write: a file that is there and may not be replaced is kept, and a number is appended."""
    folder = dictionary_folders()[0]
    stem = file_name(name.removesuffix(".safetensors"), "the dictionary")
    file, number = folder / f"{stem}.safetensors", 1
    while file.exists() and not replace(file):
        number += 1
        file = folder / f"{stem}_{number}.safetensors"
    return file


def capture_folder(name: str) -> Path:
    """Return <output>/supsae/captures/<name>."""
    return Path(folder_paths.get_output_directory()) / "supsae" / "captures" / file_name(name, "the capture")


def free_capture_folder(name: str, is_free: Callable[[Path], bool]) -> Path:
    """Return the first of <name>, <name>_2, <name>_3 … that is free for a capture, or holds it already."""
    numbered = (name if number == 1 else f"{name}_{number}" for number in itertools.count(1))
    return next(folder for folder in map(capture_folder, numbered) if is_free(folder))


def bytes_in(folder: Path) -> int:
    """Return the size of a capture's tensors."""
    return sum(file.stat().st_size for file in folder.glob("*.safetensors"))


def evaluation_folder(name: str) -> Path:
    """Return <output>/supsae/evaluation-<name>."""
    return Path(folder_paths.get_output_directory()) / "supsae" / file_name(f"evaluation-{name}", "the evaluation")


def input_file(name: str, endings: Sequence[str]) -> Path:
    """Return a file below ComfyUI's input folder."""
    folder = Path(folder_paths.get_input_directory()).resolve()
    file = (folder / name).resolve()
    if not file.is_relative_to(folder) or file.suffix.lower() not in endings:
        raise ValueError(f"{name!r} must be a file in ComfyUI's input folder that ends in {', '.join(endings)}.")
    return file


def file_name(name: str, what: str) -> str:
    """Accept a bare name only: workflows come from strangers and must not write elsewhere."""
    wanted = name.strip()
    if not re.fullmatch(r"[^\W_][\w .-]{0,79}", wanted) or wanted.endswith("."):
        raise ValueError(
            f"{name!r} cannot name {what}. Use letters, digits, blanks, '-', '_' and '.', starting with a letter or "
            "a digit, at most 80 of them and no folders."
        )
    return wanted


def changed(file: Path) -> tuple[float, int] | None:
    """Return what tells one version of a file from another, None if it is not there."""
    return (file.stat().st_mtime, file.stat().st_size) if file.is_file() else None


# --- progress ------------------------------------------------------------------------------------------------------


def progress() -> Progress:
    """Return a callback (done, total) that moves the node's progress bar and heeds the stop button."""
    bar = comfy.utils.ProgressBar(1)

    def tell(done: int, total: int) -> None:
        comfy.model_management.throw_exception_if_processing_interrupted()
        bar.update_absolute(done, total)

    return tell


def log(message: str) -> None:
    """Write a line to the log."""
    logging.info("SupSAE: %s", message)


def say(message: str) -> None:
    """Write a line to the log, and below the running node where the frontend draws such text."""
    log(message)
    context = get_executing_context()
    send = getattr(getattr(PromptServer, "instance", None), "send_progress_text", None)
    if context is not None and send is not None:
        send(message, context.node_id)


def send(event: str, data: Mapping[str, Any]) -> None:
    """Send an event to the browser that queued what is running; without one it goes to nobody in particular."""
    server = getattr(PromptServer, "instance", None)
    if server is not None:
        server.send_sync(event, dict(data), server.client_id)


def node_id() -> str | None:
    """Return the id of the node that runs, as the browser knows it."""
    context = get_executing_context()
    return None if context is None else context.node_id


def route_table() -> Any:
    """Return aiohttp's table of the server's routes; None where there is no server."""
    server = getattr(PromptServer, "instance", None)
    return None if server is None else server.routes


def sd3_tokenizer() -> Any:
    """Read SD3's three tokenizers, which ship with ComfyUI."""
    return comfy.text_encoders.sd3_clip.SD3Tokenizer()


def blocked(sentence: str) -> Any:
    """Return an output that has nothing in it: a node it is wired to fails with the sentence."""
    return ExecutionBlocker(sentence)


def to_image(picture: Image.Image) -> Tensor:
    """Return a Pillow picture as an IMAGE (1, H, W, 3) in 0 … 1."""
    return torch.from_numpy(np.asarray(picture.convert("RGB"), np.float32) / 255)[None]


def to_bytes(image: Tensor) -> np.ndarray:
    """Return an IMAGE (B, H, W, 3) as bytes, rounded as ComfyUI saves it."""
    return (255.0 * image.float().cpu()).clamp(0, 255).to(torch.uint8).numpy()


# --- a CLIP as a text host -----------------------------------------------------------------------------------------


class Family(NamedTuple):
    """What is known of a family of text encoders behind a CLIP socket."""

    keys: Mapping[str, str]
    """encoder name of the text format → key in what ``clip.tokenize`` returns"""
    wording: Wording
    """how prompts for it are worded"""


FAMILIES: dict[str, Family] = {
    "portraits": Family({"clip": "clip", "t5": "t5"}, captions.WORDING),
    "sd3": Family({"clip_l": "l", "clip_g": "g", "t5xxl": "t5xxl"}, PLAIN),
}
"""Name of the text format → family."""


class ComfyText:
    """ComfyUI's CLIP as a ``training.host.TextHost``."""

    def __init__(self, clip: comfy.sd.CLIP) -> None:
        self._clip = clip
        name = _family(clip)
        self.format: TextFormat = FORMATS[name]
        self.wording = FAMILIES[name].wording
        self._keys = FAMILIES[name].keys
        self._known: dict[str, dict[str, int]] = {}

    def counts(self, words: Sequence[str]) -> dict[str, tuple[int, ...]]:
        """Each word is tokenised alone; measured equal to the whole prompt in all three tokenizers."""
        found = [self._count(word) for word in words]
        return {name: tuple(one[name] for one in found) for name in self._keys}

    @torch.inference_mode()
    def encode(self, texts: Sequence[str]) -> tuple[list[Tensor], list[Tensor]]:
        """Encode text by text, so that a prompt's rows do not depend on its neighbours' length."""
        conds, pooled = [], []
        for one in texts:
            comfy.model_management.throw_exception_if_processing_interrupted()
            cond, vector = self._clip.encode_from_tokens(self._clip.tokenize(_plain(one)), return_pooled=True)
            conds.append(cond[0].float().cpu())
            pooled.append(vector[0].float().cpu())
        return conds, pooled

    def _count(self, word: str) -> dict[str, int]:
        if word not in self._known:
            tokens = self._clip.tokenize(_plain(word), return_word_ids=True)  # word id 0: start, end and pads
            self._known[word] = {
                name: sum(token[2] != 0 for chunk in tokens[key] for token in chunk) for name, key in self._keys.items()
            }
        return self._known[word]


def _plain(prompt: str) -> str:
    """Brackets as they are written: a phrase's own must not weight it."""
    return prompt.replace("(", "\\(").replace(")", "\\)")


def _family(clip: comfy.sd.CLIP) -> str:
    keys = set(clip.tokenize(""))
    name = next((name for name, family in FAMILIES.items() if set(family.keys.values()) == keys), None)
    if name is None:
        raise ValueError(
            f"This CLIP has the text encoders {', '.join(sorted(keys))}, which SupSAE does not know. Use Load "
            "Portraits CLIP, or SD3.5's three text encoders (TripleCLIPLoader)."
        )
    missing = [one for one in FAMILIES[name].keys if getattr(clip.cond_stage_model, one, None) is None]
    if missing:
        raise ValueError(f"This CLIP lacks the text encoder {', '.join(missing)}. Load all three (TripleCLIPLoader).")
    return name


# --- Portraits' encoders as a CLIP ---------------------------------------------------------------------------------


def portraits_clip() -> comfy.sd.CLIP:
    """Return the embedded text encoders as a stock CLIP."""
    encoders = text.load_encoders()
    target = SimpleNamespace(
        params={}, clip=lambda **_: _Encoders(encoders), tokenizer=lambda **_: _Tokenizer(encoders.tokenizer)
    )
    return comfy.sd.CLIP(target, parameters=sum(one.numel() for one in encoders.parameters()))


def portraits_empty(clip: comfy.sd.CLIP, cond: Tensor) -> tuple[Tensor, Tensor]:
    """Encode the empty prompt to as many rows as a conditioning (L, width) of Portraits: both go through together."""
    rows, tokens = rows_of(cond, FORMATS["portraits"]), clip.tokenize("")
    pads = tokens["t5"][0][-1:] * (rows.total - rows.causal - text.CHUNK)
    laid = {"clip": tokens["clip"] * (rows.causal // text.CHUNK), "t5": [tokens["t5"][0] + pads]}
    empty, vector = clip.encode_from_tokens(laid, return_pooled=True)
    return empty[0], vector[0]


class _Tokenizer:
    """Prompt → {"clip": chunks, "t5": one row} of (id, weight) or (id, weight, number of the weight group)."""

    def __init__(self, tokenizer: text.Tokenizer) -> None:
        self._tokenizer = tokenizer

    def tokenize_with_weights(self, prompt: str, return_word_ids: bool = False, **_: Any) -> dict[str, list]:
        groups = comfy.sd1_clip.token_weights(comfy.sd1_clip.escape_important(prompt), 1.0)
        tokens = [
            (number, weight, group)
            for group, (part, weight) in enumerate(groups, 1)
            for number in self._tokenizer.ids(comfy.sd1_clip.unescape_important(part))
        ]
        room, count = text.CHUNK - 2, len(tokens)
        chunks = [
            _lay(ids, tokens[i * room : (i + 1) * room], 1)
            for i, ids in enumerate(text.causal_chunks([number for number, _, _ in tokens]))
        ]
        row = _lay(text.bidirectional_row([n for n, _, _ in tokens], max(text.CHUNK, count + 1)), tokens, 0)
        keep = 3 if return_word_ids else 2
        return {"clip": [[one[:keep] for one in chunk] for chunk in chunks], "t5": [[one[:keep] for one in row]]}

    def untokenize(self, tokens: Sequence[tuple]) -> list[tuple]:
        names = (*text.SPECIAL, *text.PIECES, *self._tokenizer.words)
        return [(token, names[token[0]]) for token in tokens]

    def state_dict(self) -> dict:
        return {}


def _lay(ids: Sequence[int], tokens: Sequence[tuple[int, float, int]], first: int) -> list[tuple[int, float, int]]:
    """Give laid-out ids their weights and group numbers; start, end and pads have weight 1 and group 0."""
    own = range(first, first + len(tokens))
    return [(number, *(tokens[i - first][1:] if i in own else (1.0, 0))) for i, number in enumerate(ids)]


class _Encoders(nn.Module):
    """The encoders behind ComfyUI's interface for text models; float32 on every device."""

    dtypes = (torch.float32,)
    disable_offload = True  # 2 M parameters without ComfyUI's castable layers

    def __init__(self, encoders: text.TextEncoders) -> None:
        super().__init__()
        self.encoders = encoders
        self.clip, self.t5 = encoders.causal, encoders.bidirectional

    def encode_token_weights(self, tokens: Mapping[str, Sequence]) -> tuple[Tensor, Tensor]:
        """Return (1, rows, width) and (1, pooled): z = e + w (z − e), e the empty prompt's row at the same index."""
        chunks = [[token[0] for token in chunk] for chunk in tokens["clip"]]
        row = [token[0] for token in tokens["t5"][0]]
        made = self.encoders.encode_ids([chunks], [row])
        weights = torch.tensor([token[1] for chunk in (*tokens["clip"], *tokens["t5"]) for token in chunk])
        cond = made.cond
        if bool((weights != 1).any()):
            nothing = text.causal_chunks([]) * len(chunks), text.bidirectional_row([], len(row))
            empty, w = self.encoders.encode_ids([nothing[0]], [nothing[1]]).cond, weights.to(cond)[None, :, None]
            cond = torch.where(w != 1, empty + w * (cond - empty), cond)
        device = comfy.model_management.intermediate_device()
        return cond.to(device), made.pooled.to(device)

    def set_clip_options(self, options: Mapping[str, Any]) -> None:
        if options.get("layer") is not None:
            raise ValueError("Portraits' text encoders have no layers to skip. Remove CLIP Set Last Layer.")

    def reset_clip_options(self) -> None:
        """There is nothing to reset."""

    def load_sd(self, tensors: Mapping[str, Tensor]) -> Any:
        return self.encoders.load_state_dict(tensors, strict=False)
