"""Prompts that several tests edit, and a dictionary that has something for the inside of a model."""

from dataclasses import replace

import pytest
import torch

from supsae.supsae_core.dictionary.model import Codes


@pytest.fixture(scope="session")
def person(learnt, said):
    """Return `person(*concepts)`: someone with these, encoded."""

    def make(*concepts):
        joined = [part for concept in concepts for part in ("and", concept)]
        return learnt.encoded(said("a drawing of someone with", *joined[1:]))

    return make


@pytest.fixture(scope="session")
def row(person):
    """Said: red hair, blue eyes and a crown; clothing and background are not mentioned."""
    return person("hair: red", "eyes: blue", "hat: crown")


def random_codes(learnt, slots, groups, width=6, rank=3):
    part, phrases = learnt.dictionary.parts["t5"], slots > 1
    concepts, generator = len(learnt.table), torch.Generator().manual_seed(slots)

    def new(*shape):
        return torch.randn(shape, generator=generator)

    return Codes(
        new(width), new(rank, width), new(slots, part.slot_codes.shape[1], rank), new(groups, concepts, rank),
        new(slots, concepts, rank), new(slots, concepts),
        part.slot_tokens[:slots] if phrases else torch.ones(1, dtype=torch.int64),
        part.slot_groups[:slots] if phrases else torch.zeros(1, dtype=torch.int64), torch.ones(concepts),
    )  # fmt: skip


@pytest.fixture(scope="session")
def deep(learnt):
    """The dictionary with random codes of every kind inside the model, the same at both noise levels."""
    part = learnt.dictionary.parts["t5"]
    groups, phrases = len(part.group_effects), len(learnt.table.phrases)
    streams = {
        "txt@1/clip": (len(part.slot_tokens), groups),
        "txt@1/t5": (len(part.slot_tokens), groups),
        "img@2/mean": (1, 1),
        "img@3/attention": (phrases, groups),
    }
    made = {name: (random_codes(learnt, *size),) * 2 for name, size in streams.items()}
    return replace(learnt.dictionary, streams=made, centres=(0.8, 0.2))
