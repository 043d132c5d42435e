"""A tiny world to torture: Portraits' encoders, a few prompts, random blocks, and what is learnt of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from diffusers import SD3Transformer2DModel
from torch import Tensor

from supsae.hosts.diffusers.recording import DiffusersPictures
from supsae.hosts.embedded import PortraitsText
from supsae.portraits import captions
from supsae.supsae_core.capture.captures import Capture
from supsae.supsae_core.capture.plan import ActivationPlan, TextPlan
from supsae.supsae_core.dictionary.model import Dictionary
from supsae.supsae_core.encoders.sites import parse_sites
from supsae.supsae_core.table.parsing import table_from_mapping
from supsae.training import capture, fit, recording

TABLE = {"hair": ["red hair", "blond hair", "black hair"], "hat": ["a crown", "a cap", "no hat"]}
PROMPT = "a portrait of a person with red hair and a cap"


class Remembering:
    """Portraits' encoders, which encode a prompt once: jobs are repeated thousands of times."""

    def __init__(self) -> None:
        self._host = PortraitsText()
        self._known: dict[str, tuple[Tensor, Tensor]] = {}
        self.family = self._host.family

    def counts(self, words: Sequence[str]) -> dict[str, tuple[int, ...]]:
        return self._host.counts(words)

    def encode(self, texts: Sequence[str]) -> tuple[list[Tensor], list[Tensor]]:
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            self._known |= dict(zip(new, zip(*self._host.encode(new), strict=True), strict=True))
        conds, pooled = zip(*(self._known[text] for text in texts), strict=True)
        return list(conds), list(pooled)


@dataclass
class TortureWorld:
    """All that the tests share, made when it is first needed, in one folder."""

    folder: Path

    @cached_property
    def host(self) -> Remembering:
        return Remembering()

    @cached_property
    def pictures(self) -> DiffusersPictures:
        torch.manual_seed(0)
        family = self.host.family
        transformer = SD3Transformer2DModel(
            sample_size=16, pos_embed_max_size=16, in_channels=16, out_channels=16, num_layers=2, attention_head_dim=8,
            num_attention_heads=2, caption_projection_dim=16, joint_attention_dim=family.width,
            pooled_projection_dim=family.pooled_width,
        ).eval()  # fmt: skip
        (empty,), (nothing,) = self.host.encode([""])
        return DiffusersPictures(transformer, lambda cond: (empty[None], nothing[None]))

    def plan(self, prompts: int, seed: int = 0) -> TextPlan:
        config = capture.CaptureConfig(prompts=prompts, calibration=8, seed=seed)
        return capture.plan_text(table_from_mapping(TABLE), self.host, config, captions.WORDING)

    def blocks_plan(self, prompts: int) -> ActivationPlan:
        config = capture.CaptureConfig(prompts=prompts, calibration=4)
        sampling = recording.SamplingConfig(parse_sites("txt@1,img@1"), 4, 2.0, 64, 64)
        return recording.plan_activations(
            table_from_mapping(TABLE), self.host, self.pictures, config, sampling, captions.WORDING
        )

    @cached_property
    def text_capture(self) -> Capture:
        return capture.capture_text(self.host, self.folder / "text", self.plan(80))

    @cached_property
    def other_capture(self) -> Capture:
        return capture.capture_text(self.host, self.folder / "other", self.plan(80, seed=1))

    @cached_property
    def blocks_capture(self) -> Capture:
        return recording.capture_activations(self.host, self.pictures, self.folder / "blocks", self.blocks_plan(12))

    @cached_property
    def dictionary(self) -> Dictionary:
        return fit.fit_dictionary(self.text_capture)

    @cached_property
    def prompt(self) -> tuple[Tensor, Tensor]:
        """A conditioning (L, width) and a pooled vector (P,)."""
        (cond,), (pooled,) = self.host.encode([PROMPT])
        return cond, pooled
