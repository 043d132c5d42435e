"""SD3's text in diffusers' layout: a tiny random pipeline saved to a folder, captured, fitted and edited."""

from dataclasses import replace

import pytest
import torch
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, SD3Transformer2DModel, StableDiffusion3Pipeline
from transformers import (
    CLIPTextConfig,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    T5Config,
    T5EncoderModel,
    T5TokenizerFast,
)

from supsae.supsae_core import captures, dictionary, readout
from supsae.supsae_core.apply import apply
from supsae.supsae_core.edits import Swap
from supsae.supsae_core.slots import FORMATS, Rows, rows_of
from supsae.training import cli
from supsae.training.diffusers_text import DiffusersText, load_pipeline

LETTERS = "abcdefghijklmnopqrstuvwxyz,.'-"
WORDS = ("red", "blond", "hair", "green", "eyes", "blue", "a", "with", "and", "photo")


def clip_tokenizer(pad):
    """Letters and one pair; "!" is token 0, as it is in CLIP's own vocabulary."""
    pieces = ["!", *LETTERS, *(f"{letter}</w>" for letter in LETTERS), "ha", "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    return CLIPTokenizer(vocab=vocabulary, merges=[("h", "a")], pad_token=pad, model_max_length=77)


def t5_tokenizer():
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0)]
    pieces += [(letter, -3.0) for letter in LETTERS] + [(f"▁{word}", -1.0) for word in WORDS]
    return T5TokenizerFast(vocab=pieces, extra_ids=0)


def clip_encoder(tokenizer, width):
    return CLIPTextModelWithProjection(
        CLIPTextConfig(
            vocab_size=len(tokenizer), hidden_size=width, intermediate_size=64, num_hidden_layers=2,
            num_attention_heads=4, projection_dim=width, bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
        )
    ).eval()  # fmt: skip


@pytest.fixture(scope="module")
def pipeline():
    """SD3's widths, which the layout is known by, in as few and narrow layers as there can be."""
    torch.manual_seed(0)
    tokenizers = clip_tokenizer("<|endoftext|>"), clip_tokenizer("!"), t5_tokenizer()
    t5 = T5Config(vocab_size=len(tokenizers[2]), d_model=4096, d_ff=64, d_kv=16, num_heads=2, num_layers=1)
    made = StableDiffusion3Pipeline(
        transformer=SD3Transformer2DModel(
            sample_size=16, pos_embed_max_size=16, in_channels=16, num_layers=2, attention_head_dim=8,
            num_attention_heads=2, caption_projection_dim=16, joint_attention_dim=4096, pooled_projection_dim=2048,
            out_channels=16,
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=AutoencoderKL(block_out_channels=(4, 4, 4, 4), latent_channels=16, norm_num_groups=2,
                          down_block_types=["DownEncoderBlock2D"] * 4, up_block_types=["UpDecoderBlock2D"] * 4),
        text_encoder=clip_encoder(tokenizers[0], 768), tokenizer=tokenizers[0],
        text_encoder_2=clip_encoder(tokenizers[1], 1280), tokenizer_2=tokenizers[1],
        text_encoder_3=T5EncoderModel(t5).eval(), tokenizer_3=tokenizers[2],
    )  # fmt: skip
    made.set_progress_bar_config(disable=True)
    return made


@pytest.fixture(scope="module")
def folder(pipeline, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    pipeline.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def host(folder):
    return DiffusersText(load_pipeline(folder, text_only=True))


def test_rows_are_the_pipelines_own(pipeline, host):
    texts = ["red hair", "a photo with blond hair, green eyes."]
    conds, pooled = host.encode(texts)
    with torch.inference_mode():
        cond, _, vector, _ = pipeline.encode_prompt(texts, None, None, do_classifier_free_guidance=False)
    torch.testing.assert_close(torch.stack(conds), cond)
    torch.testing.assert_close(torch.stack(pooled), vector)
    assert [rows_of(one, host.format) for one in conds] == [Rows(77, 77 + 256)] * 2
    alone = host.encode(texts[:1])[0][0]
    torch.testing.assert_close(alone, conds[0])  # whatever stands beside it in the batch


@pytest.mark.parametrize("text", ["red hair", "a photo, with blond hair.", "Red-blond hair's, eyes", ""])
def test_words_count_as_in_the_whole_prompt(pipeline, host, text):
    counts = host.counts(text.split())
    for name, tokenizer in (("clip_l", pipeline.tokenizer), ("t5xxl", pipeline.tokenizer_3)):
        assert sum(counts[name]) == len(tokenizer(text, add_special_tokens=False).input_ids)
    assert counts["clip_l"] == counts["clip_g"]


def test_the_empty_prompt_has_as_many_rows(host):
    cond, pooled = host.negative(host.encode(["red hair"])[0][0])
    assert cond.shape == (1, 333, 4096) and pooled.shape == (1, 2048)


def test_a_prompt_fills_its_rows_and_no_more(host):
    # letter by letter: 75 tokens of CLIP between start and end; T5 writes every mark and letter, 255 before its end
    assert len(host.encode(["blue " * 18 + "b c"])[0][0]) == 333
    with pytest.raises(ValueError, match="has 76 tokens in 'clip_l', which takes 75"):
        host.encode(["blue " * 19])
    with pytest.raises(ValueError, match="has 256 tokens in 't5xxl', which takes 255"):
        host.format.require_room({"clip_l": 75, "clip_g": 75, "t5xxl": 256}, "blue")


def test_folders_that_hold_no_such_pipeline(tmp_path, folder):
    with pytest.raises(ValueError, match="no diffusers pipeline; expected a StableDiffusion3Pipeline"):
        load_pipeline(tmp_path / "nowhere")
    (tmp_path / "model_index.json").write_text('{"_class_name": "FluxPipeline"}')
    with pytest.raises(ValueError, match="holds FluxPipeline; expected a StableDiffusion3Pipeline"):
        load_pipeline(tmp_path)
    (tmp_path / "model_index.json").write_text((folder / "model_index.json").read_text())
    with pytest.raises(ValueError, match="cannot be loaded"):
        load_pipeline(tmp_path)


def test_a_pipeline_without_t5(pipeline):
    parts = {**pipeline.components, "text_encoder_3": None}
    with pytest.raises(ValueError, match="lacks the text encoder t5xxl"):
        DiffusersText(StableDiffusion3Pipeline(**parts))


TABLE = """
hair: [red hair, blond hair]
eyes: [green eyes, blue eyes]
"""


@pytest.fixture(scope="module")
def learnt(folder, tmp_path_factory):
    """What a person types: the capture of the folder's encoders, and the fit."""
    made = tmp_path_factory.mktemp("learnt")
    (made / "table.yaml").write_text(TABLE)
    options = ["--table", made / "table.yaml", "--model", folder, "--prompts", "10", "--calibration", "4"]
    for command in (
        ["capture", "--out", made / "capture", *options],
        ["fit", made / "capture", "--out", made / "d.safetensors"],
    ):
        assert cli.main([str(word) for word in command]) == 0
    return made


def test_capture_and_fit_from_the_shell(learnt):
    plan, made = captures.load(learnt / "capture").plan, dictionary.load(learnt / "d.safetensors")
    assert plan.format == made.format == FORMATS["sd3-diffusers"]
    assert captures.size(plan) == len(plan.entries) * (333 * 4096 + 2048) * 2  # half precision
    assert made.provenance["length_policy"] == "exactly 256 rows"


def test_an_edit_in_this_layout(learnt, host):
    made = dictionary.load(learnt / "d.safetensors")
    (cond,), (pooled,) = host.encode(["a photo with red hair, green eyes"])
    edited = apply(made, cond, pooled, [Swap("hair: blond hair")])
    said = [str(made.table.concepts[one]) for one in readout.read(made, edited.cond).concepts(made)]
    assert sorted(said) == ["eyes: green eyes", "hair: blond hair"]
    assert edited.cond.shape == cond.shape and not edited.cond[:77, 2048:].any()


def test_dictionaries_of_one_layout_are_refused_on_the_other(learnt, host):
    made = dictionary.load(learnt / "d.safetensors")
    comfy = replace(made, format=FORMATS["sd3"])
    (cond,), _ = host.encode(["a photo with red hair, green eyes"])
    with pytest.raises(ValueError, match="256 rows of 't5xxl', the last .* padded to 77 rows and not beyond"):
        readout.read(comfy, cond)
    with pytest.raises(
        ValueError, match="77 rows of 't5xxl', the last .* padded to 256 rows, where longer ones are cut"
    ):
        readout.read(made, cond[:154])
    with pytest.raises(ValueError, match="are not one chunk of 77 causal rows"):
        readout.read(made, torch.cat([cond[:77], cond]))


def test_a_conditioning_without_t5_is_read_by_the_other_encoders(learnt, host):
    # diffusers puts 256 rows of zeros where T5 is not loaded
    made = dictionary.load(learnt / "d.safetensors")
    (cond,), (pooled,) = host.encode(["a photo with red hair, green eyes"])
    silent = torch.cat([cond[:77], torch.zeros(256, 4096)])
    assert rows_of(silent, made.format).silent == ("t5xxl",)
    edited = apply(made, silent, pooled, [Swap("hair: blond hair")])
    assert not edited.cond[77:].any() and not torch.equal(edited.cond, silent)
    assert list(edited.reading.layouts) == ["clip_l", "clip_g"]


def test_blocks_are_recorded_from_the_shell(folder, learnt, capsys):
    command = ["capture", "--out", learnt / "blocks", "--table", learnt / "table.yaml", "--model", folder]
    command += ["--sites", "txt@1,img@2", "--steps", "4", "--size", "32x32", "--prompts", "10", "--calibration", "4"]
    assert cli.main([str(word) for word in command]) == 0
    assert cli.main([str(word) for word in [*command, "--sites", "txt@7"]]) == 2
    assert "txt@7" in capsys.readouterr().err
    assert captures.load(learnt / "blocks").plan.sampling is not None
