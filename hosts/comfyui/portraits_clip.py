"""Portraits' text encoders as a stock CLIP: tokens with weights in, conditionings out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import comfy.model_management
import comfy.sd
import comfy.sd1_clip
import torch
from torch import Tensor, nn

from ...portraits import text
from ...supsae_core.encoders.families import FAMILIES
from ...supsae_core.encoders.placing import rows_of


def portraits_clip() -> comfy.sd.CLIP:
    """Return the embedded text encoders as a stock CLIP."""
    encoders = text.load_encoders()
    target = SimpleNamespace(
        params={}, clip=lambda **_: _ClipModel(encoders), tokenizer=lambda **_: _ClipTokenizer(encoders.tokenizer)
    )
    return comfy.sd.CLIP(target, parameters=sum(one.numel() for one in encoders.parameters()))


def portraits_tokenizer() -> Any:
    """Return what cuts prompts for the embedded text encoders, as the stock CLIP does."""
    return _ClipTokenizer(text.load_tokenizer())


def portraits_empty(clip: comfy.sd.CLIP, cond: Tensor) -> tuple[Tensor, Tensor]:
    """Encode the empty prompt to as many rows as a conditioning (L, width) of Portraits: both go through together."""
    causal, other = (len(rows) for rows in rows_of(cond, FAMILIES["portraits"]).own.values())
    tokens = clip.tokenize("")
    pads = tokens["t5"][0][-1:] * (other - text.CHUNK)
    laid = {"clip": tokens["clip"] * (causal // text.CHUNK), "t5": [tokens["t5"][0] + pads]}
    empty, vector = clip.encode_from_tokens(laid, return_pooled=True)
    return empty[0], vector[0]


class _ClipTokenizer:
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
        text.require_short(prompt, count)
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
    plain, own = (1.0, 0), range(first, first + len(tokens))
    found = [tokens[i - first][1:] if i in own else plain for i in range(len(ids))]
    return [(number, weight, group) for number, (weight, group) in zip(ids, found, strict=True)]


class _ClipModel(nn.Module):
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
