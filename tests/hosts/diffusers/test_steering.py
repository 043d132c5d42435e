"""Steering in diffusers, on Portraits: the picture of an edited conditioning, and hooks that leave nothing behind."""

import pytest
import torch

from supsae.hosts.diffusers import studio, transformer
from supsae.hosts.diffusers.steering import percent_to_sigma, steered
from supsae.supsae_core.editing import edits, steer
from supsae.supsae_core.editing.apply import apply
from supsae.supsae_core.editing.edits import Swap
from supsae.supsae_core.editing.steer import Where
from supsae.supsae_core.editing.windows import Window
from supsae.supsae_core.encoders.sites import parse_sites
from supsae.supsae_core.reading import readout

pytestmark = pytest.mark.slow

PROMPTS = ["a portrait of a person with blond hair, sandy beach", "smiling, blond hair, golden crown"]
RED = Swap("hair: red")


@pytest.fixture(scope="module")
def models():
    return studio.load_studio()


@pytest.fixture(scope="module")
def drawn(models, learnt):
    """Latents of two prompts after two steps: as they are, edited beforehand, or steered while they are sampled."""
    conds, pooled = models.host.encode(PROMPTS)
    edited = [apply(learnt.dictionary, *row, [RED]) for row in zip(conds, pooled, strict=True)]

    def sample(rows, vectors):
        rows, vectors, noise = torch.stack(rows), torch.stack(vectors), transformer.initial_noise([1, 2])
        negative = studio.negative(models, conds[0])
        return transformer.sample_latents(models.transformer, rows, vectors, negative, noise, steps=2)

    def with_where(where):
        made, moves = learnt.dictionary, []
        for cond in conds:
            reading = readout.read_conditioning(made, cond)
            changes = edits.resolve_edits(made, [RED], reading.concepts(made))
            moves.append(steer.moves(made, cond, reading, changes, where))
        with steered(models.transformer, made, moves, where):
            return sample(conds, pooled)

    plain = sample(conds, pooled)
    changed = sample(*zip(*((one.cond, one.pooled) for one in edited), strict=True))
    assert float((plain - changed).abs().max()) > 0.1
    return plain, changed, with_where, lambda: sample(conds, pooled)


def test_cond_and_pooled_are_the_edited_conditioning(drawn):
    _, changed, with_where, _ = drawn
    assert torch.equal(with_where(Where()), changed)


@pytest.mark.parametrize("inside", [False, True])
def test_the_text_stream_entering_block_0_is_the_conditioning(drawn, inside):
    plain, changed, with_where, _ = drawn
    found = with_where(Where(parse_sites("txt@0-2, pooled"), inside=inside))
    assert float((found - changed).norm() / (plain - changed).norm()) < 1e-4


def test_the_text_in_a_later_block_is_the_edited_prompts_beside_the_same_picture(models, drawn):
    _, _, with_where, _ = drawn
    block, entering = models.transformer.transformer_blocks[1], []
    late = Where(window=Window(0.9, 1.0))  # nothing happens in the two steps
    for where in (Where(parse_sites("cond")), Where(parse_sites("txt@1")), late):
        heard = []
        norms = (block.norm1_context, block.norm1)  # behind all hooks before the block
        handles = [one.register_forward_pre_hook(lambda _, args, to=heard: to.append(args[0])) for one in norms]
        with_where(where)
        for handle in handles:
            handle.remove()
        entering.append(sorted(heard[:2], key=lambda one: one.shape[1]))  # the picture has 64 rows, the text 96
    (picture, text), (same, carried), (plain, unedited) = entering
    # in the first step block 0 has the same picture whatever the text
    torch.testing.assert_close(carried, text)
    assert torch.equal(same, plain) and not torch.equal(picture, plain) and not torch.equal(text, unedited)


def test_outside_its_window_nothing_happens(drawn):
    plain, changed, with_where, again = drawn
    # Two steps at noise levels 1 and 0.75 (shift 3 of 1 and a half): shares 0 and a half of sampling.
    assert percent_to_sigma(0.5) == 0.75
    assert torch.equal(with_where(Where(window=Window(0.1, 0.4))), plain)
    late = with_where(Where(window=Window(0.5, 1.0)))
    assert not torch.equal(late, plain) and not torch.equal(late, changed)
    assert torch.equal(again(), plain)  # and no hook is left
