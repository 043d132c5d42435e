"""A model that is checked: its pictures three ways, its blocks listened to, and what its files are called."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import comfyui_version
import torch
from torch import Tensor

from ...supsae_core.dictionary.model import Dictionary
from ..sights import HeardBlocks, Trio, WantedTrio
from . import conditionings, sampling, transformer
from .conditionings import Conditioning
from .following import Call, followed, tagged
from .pictures import decoded, to_bytes
from .sampling import SamplerSettings
from .tokenizers import plain
from .transformer import Tap

SEEN = "a photo of a person"
"""Prompt while the blocks are listened to."""
DEEP = 16
"""Nodes that are gone through at most on the way to a loader."""
_FILE = re.compile(r"\.(safetensors|sft|gguf|ckpt|pt|pth|bin)$", re.IGNORECASE)
Told = Callable[[int, Tensor], None]
"""Called after every step with (steps done, denoised latents)."""


class CheckedModel(NamedTuple):
    """What is on the sockets, and how it draws."""

    model: Any
    clip: Any
    vae: Any
    width: int
    height: int
    settings: SamplerSettings
    seed: int


def version() -> str:
    """Return the host's name and version."""
    return f"ComfyUI {comfyui_version.__version__}"


def weighted_rows(clip: Any, text: str) -> Tensor:
    """Return the rows (L, width) of a text with prompt weights, as CLIP Text Encode makes them."""
    cond, _ = clip.encode_from_tokens(clip.tokenize(text), return_pooled=True)
    return cond[0].float().cpu()


def encoded(clip: Any, text: str) -> Conditioning:
    """Return a text as CLIP Text Encode encodes it, what looks like weights taken for words."""
    return clip.encode_from_tokens_scheduled(clip.tokenize(plain(text)))


def draw_trios(one: CheckedModel, dictionary: Dictionary, wanted: Sequence[WantedTrio], told: Told) -> list[Trio]:
    """Draw each swap three ways from one seed: as the prompt says, edited, and as the rewritten prompt says.

    An edit that is refused leaves the picture as it was.
    """
    negative = encoded(one.clip, "")
    noise = _noise(one)

    def drawn(positive: Conditioning) -> Any:
        latents = sampling.sample(one.model, positive, negative, noise, one.settings, one.seed, told)
        return to_bytes(decoded(one.vae, latents))[0]

    made = []
    for each in wanted:
        before = encoded(one.clip, each.prompt)
        edited = before
        with suppress(ValueError):
            edited = conditionings.edit_places(before, dictionary, each.edits).conditioning
        made.append(Trio(drawn(before), drawn(edited), drawn(encoded(one.clip, each.rewrite))))
    return made


def hear_blocks(one: CheckedModel) -> HeardBlocks:
    """Draw one step twice, the second time with a listener at every block.

    Raises:
        ValueError: if the model is of a family whose blocks are not known.
    """
    depth, heard = transformer.blocks_of(one.model.model).depth, set[int]()
    positive, negative, noise = encoded(one.clip, SEEN), encoded(one.clip, ""), _noise(one)
    settings = one.settings._replace(steps=1)

    def step(model: Any, given: Conditioning) -> Tensor:
        return sampling.sample(model, given, negative, noise, settings, one.seed)

    def at(block: int) -> Tap:
        def tap(values: dict[str, Any]) -> dict[str, Any]:
            heard.add(block)
            return values

        return tap

    def through(call: Call) -> Tensor:
        taps = {block: at(block) for block in range(depth)}
        return call.run(options=transformer.tapped(call.options, call.blocks, taps, taps))

    before = step(one.model, positive)
    after = step(followed(one.model, through), tagged(positive, [True] * len(positive)))
    same = torch.equal(before, after)
    if not same and not torch.equal(before, step(one.model, positive)):
        return HeardBlocks(depth, len(heard), None)
    return HeardBlocks(depth, len(heard), same)


def _noise(one: CheckedModel) -> Tensor:
    return sampling.noise_of(sampling.empty_latent(one.width, one.height, one.model), one.seed)


def files_behind(graph: Mapping[str, Any] | None, node: str | None, names: Sequence[str]) -> list[str]:
    """Return the names, without folders, of the files that loaders behind a node's inputs load.

    Args:
        graph: the workflow as ComfyUI runs it, id → {"inputs": name → value or [id, output]}.
        names: the node's inputs.
    """
    found, seen = dict[str, None](), {str(node)}
    links = _links(graph, node, names)
    for _ in range(DEEP):
        nodes = [one for one in dict.fromkeys(links) if one not in seen]
        seen |= set(nodes)
        links = [link for one in nodes for link in _links(graph, one)]
        for one in nodes:
            found |= dict.fromkeys(_files(graph, one))
    return list(found)


def _files(graph: Mapping[str, Any] | None, node: str) -> list[str]:
    values = (one for one in _inputs(graph, node).values() if isinstance(one, str))
    return [re.split(r"[\\/]", one)[-1] for one in values if _FILE.search(one)]


def _links(graph: Mapping[str, Any] | None, node: str | None, names: Sequence[str] = ()) -> list[str]:
    inputs = _inputs(graph, node)
    wanted = [inputs[name] for name in names or inputs if name in inputs]
    return [str(one[0]) for one in wanted if isinstance(one, list) and len(one) == 2]


def _inputs(graph: Mapping[str, Any] | None, node: str | None) -> Mapping[str, Any]:
    found = (graph or {}).get(str(node))
    inputs = found.get("inputs") if isinstance(found, Mapping) else None
    return inputs if isinstance(inputs, Mapping) else {}
