"""The table of diffusion models against diffusers' own classes, at tiny size."""

from types import MethodType, SimpleNamespace

import pytest
import torch
from torch import nn

from supsae.hosts import models
from supsae.hosts.models import MODELS, family_in_diffusers
from supsae.supsae_core.encoders.sites import Site

IN_DIFFUSERS = [one for one in MODELS if one.diffusers]
assert IN_DIFFUSERS, "the table of models has none of diffusers'"

WIDTH, TEXT, DEPTH = 32, 24, 2
TINY = {
    "SD3Transformer2DModel": {
        "sample_size": 4, "num_layers": DEPTH, "attention_head_dim": 16, "num_attention_heads": 2,
        "caption_projection_dim": WIDTH, "joint_attention_dim": TEXT, "pooled_projection_dim": 8,
        "pos_embed_max_size": 4,
    },
}  # fmt: skip
"""Class → a configuration with a text stream of ``WIDTH`` made of conditionings of ``TEXT`` columns."""
FORWARD = {
    "SD3Transformer2DModel": {
        "hidden_states": torch.zeros(1, 16, 4, 4), "encoder_hidden_states": torch.ones(1, 5, TEXT),
        "pooled_projections": torch.ones(1, 8), "timestep": torch.ones(1),
    },
}  # fmt: skip
"""Class → what one call of it takes: a latent of 4 × 4 cells and 5 rows of text."""


@pytest.mark.parametrize("family", IN_DIFFUSERS, ids=lambda one: one.name)
def test_a_row_says_where_diffusers_keeps_what_is_recorded(family):
    import diffusers

    from supsae.hosts.diffusers.recording import listening

    torch.manual_seed(0)
    network = getattr(diffusers, family.diffusers)(**TINY[family.diffusers]).eval()
    assert family_in_diffusers(network) is family
    assert len(getattr(network, family.diffusers_blocks)) == DEPTH
    embedder = getattr(network, family.diffusers_embedder)
    assert isinstance(embedder, nn.Linear) and (embedder.in_features, embedder.out_features) == (TEXT, WIDTH)
    heard = {}
    sites = (Site("txt", 0), Site("img", 1), Site("img", DEPTH))
    recorder = SimpleNamespace(sites=sites, attended=None)
    recorder.hear = MethodType(lambda self, site, rows, attention=None: heard.update({site: rows}), recorder)
    with torch.inference_mode(), listening(network, recorder, 1):
        network(**FORWARD[family.diffusers])
    # what enters the first block is the embedder's own output; a latent of 4 × 4 cells has one token a patch
    torch.testing.assert_close(heard[sites[0]], embedder(FORWARD[family.diffusers]["encoder_hidden_states"]))
    assert [heard[site].shape for site in sites[1:]] == [(1, (4 // family.patch) ** 2, WIDTH)] * 2


def test_another_network_is_refused(monkeypatch):
    with pytest.raises(ValueError, match="This model is a Linear. SupSAE records and steers the blocks of SD3Trans"):
        family_in_diffusers(nn.Linear(2, 2))
    monkeypatch.setattr(models, "MODELS", ())
    with pytest.raises(ValueError, match="This model is a Linear"):
        family_in_diffusers(nn.Linear(2, 2))
