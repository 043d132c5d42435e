"""CLIP says what its paper says, on the real class at tiny size; and what it says is called a proxy."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from transformers import CLIPModel
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from supsae.evaluation.report import files
from supsae.evaluation.results import Hooks
from supsae.evaluation.text import proxies
from supsae.evaluation.text.cases import TextConfig
from supsae.evaluation.text.run import open_model, run_text
from supsae.hosts.diffusers.clip import Clip
from supsae.hosts.diffusers.pictures import PictureConfig, draw_pictures
from supsae.supsae_core.dictionary.file import load_dictionary

SMALL = PictureConfig(cases=2, width=96, height=64, steps=2, cfg=2.0)


def noise(*size, seed=0):
    return np.random.default_rng(seed).integers(0, 256, size, np.uint8)


@pytest.fixture(scope="module")
def clip(clip_folder):
    return Clip(clip_folder)


@pytest.mark.parametrize("size", [(32, 32), (48, 80), (97, 40)], ids=str)
def test_clip_looks_at_what_transformers_shows_it(clip, size):
    picture = noise(*size, 3)
    shown = CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    wanted = shown(picture, return_tensors="pt").pixel_values[0]
    torch.testing.assert_close(clip.pixels(picture, 32), wanted)


def test_directions_are_the_models_own(clip, clip_folder):
    model = CLIPModel.from_pretrained(clip_folder).eval()
    pictures, texts = noise(2, 32, 32, 3), ["red hair", "a hat, with it"]
    tokens = clip._tokenizer(texts, padding=True, return_tensors="pt")
    with torch.inference_mode():
        whole = model(
            input_ids=tokens.input_ids, attention_mask=tokens.attention_mask,
            pixel_values=torch.stack([clip.pixels(one, 32) for one in pictures]),
        )  # fmt: skip
    torch.testing.assert_close(clip.pictures(list(pictures)), whole.image_embeds)
    torch.testing.assert_close(clip.texts(texts), whole.text_embeds)
    assert clip.texts(["hat " * 200]).shape == (1, 16)  # cut off at 77 tokens


def test_a_folder_may_say_its_own_colours(clip_folder, tmp_path):
    for file in clip_folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "preprocessor_config.json").write_text('{"image_mean": [0, 0, 0], "image_std": [0.5, 0.5, 0.5]}')
    # 255 is 1, less 0, over a half: 2
    assert Clip(tmp_path).pixels(np.full((32, 32, 3), 255, np.uint8), 32).unique().tolist() == [2]


def test_folders_that_hold_no_clip(tmp_path, clip_folder, sd3):
    with pytest.raises(ValueError, match="holds no model; expected a CLIP model in transformers' layout"):
        Clip(tmp_path)
    with pytest.raises(ValueError, match="holds a model of the type 't5'; expected a CLIP model"):
        Clip(sd3.folder / "text_encoder_3")
    (tmp_path / "config.json").write_bytes((clip_folder / "config.json").read_bytes())
    with pytest.raises(ValueError, match="cannot be loaded"):
        Clip(tmp_path)


class Compass:
    """Stands for CLIP: a picture's first pixel is its place in a plane, a text's length its place on an axis."""

    def pictures(self, pictures):
        return torch.stack([torch.from_numpy(one[0, 0, :2].astype(np.float32)) for one in pictures])

    def texts(self, texts):
        return torch.tensor([[len(text.split()), 0.0] for text in texts])


def case(words):
    """A case whose rewrite has one word more than its prompt, or one less."""
    more, less = (SimpleNamespace(text=" ".join("x" * n)) for n in (words, words - 1))
    return SimpleNamespace(prompt=less, rewrite=more)


def at(*place):
    return np.array([[[*place, 0]]], np.uint8)


def test_directional_similarity_by_hand():
    # The words move along (1, 0). The first edit moves along it, its rewrite across; the second edit goes halfway
    # between, its rewrite stays. Cosines: 1, √½; 0, 0. All words agree, so chance is as good as the edit.
    pictures = {
        "no edit": np.stack([at(5, 5), at(5, 5)]),
        "SupSAE": np.stack([at(9, 5), at(8, 8)]),
        "prompt rewrite": np.stack([at(5, 9), at(5, 5)]),
    }
    found = proxies.clip_directions(Compass(), [case(4), case(3)], pictures)
    assert found["SupSAE"] == pytest.approx([1, 0.5**0.5])
    assert found["prompt rewrite"] == pytest.approx([0, 0])
    assert found[proxies.CHANCE] == pytest.approx(found["SupSAE"])


@pytest.fixture(scope="module")
def opened(sd3, clip_folder):
    return open_model(sd3.folder, clip_folder, SMALL)


def test_pictures_are_the_pipelines_own(opened):
    host, _ = opened
    conds, pooled = host.encode(["red hair", "a photo with blond hair"])
    seen = []
    made = draw_pictures(host, conds, pooled, [5, 6], SMALL, progress=lambda *at: seen.append(at))
    assert (made.shape, made.dtype) == ((2, 64, 96, 3), np.uint8)
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    own = host.pipeline(
        "red hair", width=96, height=64, num_inference_steps=2, guidance_scale=2.0, output_type="np",
        generator=torch.Generator().manual_seed(5),
    ).images[0]  # fmt: skip
    assert np.abs(made[0] - 255 * own).max() <= 0.5 + 1e-2  # rounded to bytes
    assert np.array_equal(draw_pictures(host, conds[:1], pooled[:1], [5], SMALL), made[:1])


def test_what_does_not_fit_is_refused():
    for size in ((72, 64), (64, 48)):
        with pytest.raises(ValueError, match="sides of .* must be multiples of 16 pixels, 64 at least"):
            PictureConfig(2, *size)
    with pytest.raises(ValueError, match="At least 2 cases and 1 step are needed, not 1 and 28"):
        PictureConfig(cases=1)


def test_a_real_models_dictionary_from_its_folder(sd3_learnt, opened, tmp_path):
    host, judges = opened
    config, told, said = TextConfig(prompts=4), {}, []

    def part(name, total):
        told[name] = [0, total]
        return lambda count: told[name].__setitem__(0, told[name][0] + count)

    learnt = load_dictionary(sd3_learnt / "d.safetensors")
    made = run_text(learnt, host, config, Hooks(said.append, part), judges)
    assert said == ["This encodes 8 prompts, and draws 6 pictures of 96 x 64 in 2 steps each."]
    assert told == {"text": [4, 4], "pictures": [12, 12]}
    found = made.results["sections"]
    assert found["text"]["splits"]["seen"]["parts"].keys() == {"clip_l", "clip_g", "t5xxl", "pooled"}
    assert found["proxies"]["clip_direction"]["prompt rewrite"]["count"] == 2
    assert found["proxies"]["cases"][0]["prompt"] != found["proxies"]["cases"][0]["rewrite"]
    assert [one.pictures["SupSAE"].shape for one in made.examples["proxies"]] == [(64, 64, 3)] * 2
    written = files.write(made, tmp_path)
    assert sorted(written) == ["cosines", "examples", "report", "results"]
    assert "no truth" in written["report"].read_text(encoding="utf-8") and "no truth" in files.summary(made.results)


def test_a_refused_edit_counts_as_no_change(sd3_learnt, opened):
    # "blond hair" was never captured in this dictionary: its swaps leave picture and prompt as they are.
    learnt = load_dictionary(sd3_learnt / "d.safetensors")
    for name, part in learnt.parts.items():
        if name != "pooled":
            part.slot_tokens[: len(learnt.table.phrases)] = 0
    made = proxies.proxy_section(learnt, opened[1], TextConfig(prompts=2))
    assert all("was never written" in one["refused"] or "rows" in one["refused"] for one in made.json["cases"])
    assert all(np.array_equal(one.pictures["no edit"], one.pictures["SupSAE"]) for one in made.examples)
    assert made.json["clip_direction"]["SupSAE"]["estimate"] == 0
