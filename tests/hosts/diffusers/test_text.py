"""SD3's text in diffusers' layout: a tiny random pipeline saved to a folder, captured, fitted and edited."""

import json
import shutil
from dataclasses import replace

import pytest
import torch
from diffusers import StableDiffusion3Pipeline

from supsae.cli import parser
from supsae.hosts.diffusers import text as sd3_text
from supsae.hosts.diffusers.text import DiffusersText, load_pipeline
from supsae.supsae_core.capture.captures import load_capture
from supsae.supsae_core.capture.plan import text_bytes
from supsae.supsae_core.dictionary.file import load_dictionary
from supsae.supsae_core.editing.apply import apply
from supsae.supsae_core.editing.edits import Swap
from supsae.supsae_core.encoders.base import Rows
from supsae.supsae_core.encoders.families import FAMILIES
from supsae.supsae_core.encoders.placing import rows_of
from supsae.supsae_core.reading import readout


@pytest.fixture(scope="module")
def host(sd3):
    return DiffusersText(load_pipeline(sd3.folder, text_only=True))


@pytest.fixture(scope="module")
def made(sd3_learnt):
    return load_dictionary(sd3_learnt / "d.safetensors")


@pytest.fixture(scope="module")
def encoded(host):
    (cond,), (pooled,) = host.encode(["a photo with red hair, green eyes"])
    return cond, pooled


def test_rows_are_the_pipelines_own(sd3, host):
    pipeline = sd3.pipeline
    texts = ["red hair", "a photo with blond hair, green eyes."]
    conds, pooled = host.encode(texts)
    with torch.inference_mode():
        cond, _, vector, _ = pipeline.encode_prompt(texts, None, None, do_classifier_free_guidance=False)
    torch.testing.assert_close(torch.stack(conds), cond)
    torch.testing.assert_close(torch.stack(pooled), vector)
    assert [rows_of(one, host.family) for one in conds] == [
        Rows({"clip_l": range(77), "clip_g": range(77), "t5xxl": range(77, 333)}, 333)
    ] * 2
    alone = host.encode(texts[:1])[0][0]
    torch.testing.assert_close(alone, conds[0])  # whatever stands beside it in the batch


@pytest.mark.parametrize(
    ("stored", "quick", "dtype"),
    [("float32", True, torch.float32), ("float16", False, torch.float32), ("float16", True, torch.bfloat16)],
)
def test_half_precision_stays_half_where_the_cpu_multiplies_in_it(sd3, tmp_path, monkeypatch, stored, quick, dtype):
    folder = shutil.copytree(sd3.folder, tmp_path / "model")
    config = folder / "text_encoder" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "dtype": stored}))
    monkeypatch.setattr(sd3_text, "multiplies_in_bfloat16", lambda: quick)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    pipeline = load_pipeline(folder)
    assert pipeline.transformer.dtype == pipeline.text_encoder_3.dtype == dtype


@pytest.mark.parametrize("text", ["red hair", "a photo, with blond hair.", "Red-blond hair's, eyes", ""])
def test_words_count_as_in_the_whole_prompt(sd3, host, text):
    counts, pipeline = host.counts(text.split()), sd3.pipeline
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
        host.family.require_room({"clip_l": 75, "clip_g": 75, "t5xxl": 256}, "blue")


def test_folders_that_hold_no_such_pipeline(tmp_path, sd3):
    with pytest.raises(ValueError, match="no diffusers pipeline; expected a StableDiffusion3Pipeline"):
        load_pipeline(tmp_path / "nowhere")
    (tmp_path / "model_index.json").write_text('{"_class_name": "FluxPipeline"}')
    with pytest.raises(ValueError, match="holds FluxPipeline; expected a StableDiffusion3Pipeline"):
        load_pipeline(tmp_path)
    (tmp_path / "model_index.json").write_text((sd3.folder / "model_index.json").read_text())
    with pytest.raises(ValueError, match="cannot be loaded"):
        load_pipeline(tmp_path)


def test_a_pipeline_without_t5(sd3):
    parts = {**sd3.pipeline.components, "text_encoder_3": None}
    with pytest.raises(ValueError, match="lacks the text encoder t5xxl"):
        DiffusersText(StableDiffusion3Pipeline(**parts))


def test_capture_and_fit_from_the_shell(sd3_learnt, made):
    plan = load_capture(sd3_learnt / "capture").plan
    assert plan.family == made.family == FAMILIES["sd3-diffusers"]
    # In half precision: 77 rows of the two CLIPs, of T5 the words, the end and eight pads, and the pooled vector.
    rows = sum(entry.tokens["t5xxl"] + 1 + 8 for entry in plan.entries)
    assert text_bytes(plan) == 2 * (len(plan.entries) * (77 * 2048 + 2048) + rows * 4096)
    assert made.provenance["length_policy"] == "one chunk of 77 causal rows, exactly 256 rows"


def test_an_edit_in_this_layout(made, encoded):
    cond, pooled = encoded
    edited = apply(made, cond, pooled, [Swap("hair: blond hair")])
    said = [str(made.table.concepts[one]) for one in readout.read_conditioning(made, edited.cond).concepts(made)]
    assert sorted(said) == ["eyes: green eyes", "hair: blond hair"]
    assert edited.cond.shape == cond.shape and not edited.cond[:77, 2048:].any()


def test_dictionaries_of_one_layout_are_refused_on_the_other(made, encoded):
    (cond, _), comfy = encoded, replace(made, family=FAMILIES["sd3"])
    for dictionary, rows, said in (
        (comfy, cond, "256 rows of 't5xxl', the last .* padded to 77 rows and not beyond"),
        (made, cond[:154], "77 rows of 't5xxl', the last .* padded to 256 rows, where longer ones are cut"),
        (made, torch.cat([cond[:77], cond]), "are not one chunk of 77 causal rows"),
    ):
        with pytest.raises(ValueError, match=said):
            readout.read_conditioning(dictionary, rows)


def test_a_conditioning_without_t5_is_read_by_the_other_encoders(made, encoded):
    # diffusers puts 256 rows of zeros where T5 is not loaded
    cond, pooled = encoded
    silent = torch.cat([cond[:77], torch.zeros(256, 4096)])
    assert not rows_of(silent, made.family).own["t5xxl"]
    edited = apply(made, silent, pooled, [Swap("hair: blond hair")])
    assert not edited.cond[77:].any() and not torch.equal(edited.cond, silent)
    assert list(edited.reading.layouts) == ["clip_l", "clip_g"]


def test_blocks_are_recorded_from_the_shell(sd3, sd3_learnt, capsys):
    learnt = sd3_learnt
    command = ["capture", "--out", learnt / "blocks", "--table", learnt / "table.yaml", "--model", sd3.folder]
    command += ["--sites", "txt@1,img@2", "--steps", "4", "--size", "32x32", "--prompts", "10", "--calibration", "4"]
    assert parser.main([str(word) for word in command]) == 0
    assert parser.main([str(word) for word in [*command, "--sites", "txt@7"]]) == 2
    assert "txt@7" in capsys.readouterr().err
    assert load_capture(learnt / "blocks").plan.sampling.steps
