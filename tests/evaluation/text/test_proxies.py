"""CLIP and LPIPS say what their papers say, on real classes at tiny size; and what they say is called a proxy."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from transformers import CLIPModel
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from supsae.evaluation import cases
from supsae.evaluation.report import text_report
from supsae.evaluation.text import lpips, proxies, text_run
from supsae.evaluation.text.lpips import Convolution, Lpips
from supsae.evaluation.text.swaps import TextConfig
from supsae.hosts.diffusers import pictures as pictures_of
from supsae.hosts.diffusers.clip import Clip
from supsae.hosts.diffusers.pictures import PictureConfig
from supsae.supsae_core.dictionary.file import load_dictionary

SMALL = PictureConfig(cases=2, width=96, height=64, steps=2, cfg=2.0)


def noise(*size, seed=0):
    return np.random.default_rng(seed).integers(0, 256, size, np.uint8)


# --- CLIP ------------------------------------------------------------------------------------------------------------


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
    model, pictures, texts = (
        CLIPModel.from_pretrained(clip_folder).eval(),
        noise(2, 32, 32, 3),
        ["red hair", "a hat, with it"],
    )
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
        "before": np.stack([at(5, 5), at(5, 5)]),
        "edited": np.stack([at(9, 5), at(8, 8)]),
        "rewrite": np.stack([at(5, 9), at(5, 5)]),
    }
    found = proxies.directions(Compass(), [case(4), case(3)], pictures)
    assert found["edited"] == pytest.approx([1, 0.5**0.5])
    assert found["rewrite"] == pytest.approx([0, 0])
    assert found["other words"] == pytest.approx(found["edited"])


# --- LPIPS -----------------------------------------------------------------------------------------------------------


def test_lpips_by_hand():
    # One convolution that copies the three colours. Scaled, one picture is (1, 0, 0) and the other (0, 2, 0): unit
    # vectors (1, 0, 0) and (0, 1, 0), squares of their difference (1, 1, 0), weighted by (3, 5, 7): 8.
    copy = Convolution(torch.eye(3)[..., None, None], torch.zeros(3), 1, 0)
    own = Lpips(((copy,),), (0,), (torch.tensor([3.0, 5.0, 7.0])[None, :, None, None],))
    shift, scale = (torch.tensor(values) for values in (lpips.SHIFT, lpips.SCALE))
    one, other = (
        (((torch.tensor(colour) * scale + shift) + 1) / 2)[None, :, None, None].expand(1, 3, 4, 6)
        for colour in ([1.0, 0, 0], [0, 2.0, 0])
    )
    assert float(own.distance(one, other)) == pytest.approx(8, rel=1e-5)
    assert float(own.distance(one, one)) == 0


def alex():
    """AlexNet's layers in torchvision's order, narrow, and the layers whose outputs are compared."""
    sizes = [(3, 4, 11, 4, 2), (4, 6, 5, 1, 2), (6, 5, 3, 1, 1), (5, 4, 3, 1, 1), (4, 4, 3, 1, 1)]
    a, b, c, d, e = (nn.Conv2d(i, o, k, s, p) for i, o, k, s, p in sizes)
    pool = lambda: nn.MaxPool2d(3, 2)  # noqa: E731
    return [a, nn.ReLU(), pool(), b, nn.ReLU(), pool(), c, nn.ReLU(), d, nn.ReLU(), e, nn.ReLU()], [1, 4, 7, 9, 11]


def vgg():
    """VGG16's layers, narrow, likewise."""
    layers, ends, width = [], [], 3
    for block, depth in enumerate((2, 2, 3, 3, 3)):
        layers += [nn.MaxPool2d(2, 2)] if block else []
        for _ in range(depth):
            layers += [nn.Conv2d(width, 4 + block, 3, 1, 1), nn.ReLU()]
            width = 4 + block
        ends.append(len(layers) - 1)
    return layers, ends


def written(net, file):
    """Write a net in the layout of the ``lpips`` package; return its layers, the compared ones and the weights."""
    layers, ends = net()
    tensors, channels = {}, []
    for i, layer in enumerate(layers):
        depth = next(k for k, end in enumerate(ends) if i <= end)
        tensors |= {f"net.slice{depth + 1}.{i}.{name}": t.detach().clone() for name, t in layer.named_parameters()}
        channels += [layers[i - 1].out_channels] if i in ends else []
    weights = [torch.rand(1, count, 1, 1) for count in channels]
    save_file(tensors | {f"lin{k}.model.1.weight": weight for k, weight in enumerate(weights)}, file)
    return layers, ends, weights


@pytest.mark.parametrize("net", [alex, vgg], ids=lambda net: net.__name__)
def test_lpips_is_the_papers_formula_on_both_nets(net, tmp_path):
    torch.manual_seed(0)
    layers, ends, weights = written(net, tmp_path / "net.safetensors")
    one, other = torch.rand(2, 3, 96, 80), torch.rand(2, 3, 96, 80)
    shift, scale = (torch.tensor(values)[:, None, None] for values in (lpips.SHIFT, lpips.SCALE))
    x, y = ((2 * picture - 1 - shift) / scale for picture in (one, other))
    wanted = torch.zeros(2)
    with torch.no_grad():
        for i, layer in enumerate(layers):
            x, y = layer(x), layer(y)
            if i in ends:
                apart = nn.functional.normalize(x, dim=1) - nn.functional.normalize(y, dim=1)
                wanted += (weights[ends.index(i)] * apart**2).sum(1).mean((1, 2))
    torch.testing.assert_close(lpips.load(tmp_path / "net.safetensors").distance(one, other), wanted)


def test_files_that_hold_no_lpips(tmp_path):
    save_file({"x": torch.zeros(1)}, tmp_path / "other.safetensors")
    for name in ("other.safetensors", "nowhere.safetensors"):
        with pytest.raises(
            ValueError, match="does not hold LPIPS weights as a safetensors file.*Make them with: python"
        ):
            lpips.load(tmp_path / name)


# --- pictures of any model -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A file in the layout of the ``lpips`` package's AlexNet, narrow and random."""
    file = tmp_path_factory.mktemp("lpips") / "alex.safetensors"
    written(alex, file)
    return file


@pytest.fixture(scope="module")
def opened(sd3, clip_folder):
    return text_run.open_model(sd3.folder, clip_folder, None, SMALL)


def test_pictures_are_the_pipelines_own(opened):
    host, _ = opened
    conds, pooled = host.encode(["red hair", "a photo with blond hair"])
    seen = []
    made = pictures_of.draw(host, conds, pooled, [5, 6], SMALL, progress=lambda *at: seen.append(at))
    assert (made.shape, made.dtype) == ((2, 64, 96, 3), np.uint8)
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    own = host.pipeline(
        "red hair", width=96, height=64, num_inference_steps=2, guidance_scale=2.0, output_type="np",
        generator=torch.Generator().manual_seed(5),
    ).images[0]  # fmt: skip
    assert np.abs(made[0] - 255 * own).max() <= 0.5 + 1e-2  # rounded to bytes
    assert np.array_equal(pictures_of.draw(host, conds[:1], pooled[:1], [5], SMALL), made[:1])


def test_what_does_not_fit_is_refused(sd3, tmp_path):
    with pytest.raises(ValueError, match="sides of 72 x 64 must be multiples of 16 pixels, 64 at least"):
        PictureConfig(width=72, height=64)
    with pytest.raises(ValueError, match="sides of 64 x 48"):
        PictureConfig(width=64, height=48)
    with pytest.raises(ValueError, match="At least 2 cases and 1 step are needed, not 1 and 28"):
        PictureConfig(cases=1)
    with pytest.raises(
        ValueError, match="LPIPS looks at pictures, which are drawn only when a CLIP model is named too"
    ):
        text_run.open_model(sd3.folder, None, tmp_path / "x.safetensors", SMALL)


def test_a_real_models_dictionary_from_its_folder(sd3, sd3_learnt, clip_folder, weights, tmp_path):
    config, told = TextConfig(prompts=4), []
    host, judges = text_run.open_model(sd3.folder, clip_folder, weights, SMALL)
    assert text_run.cost(config, judges) == "This encodes 8 prompts, and draws 6 pictures of 96 x 64 in 2 steps each."
    made = text_run.run_text(
        sd3_learnt / "d.safetensors", host, tmp_path, config, judges=judges, progress=lambda *at: told.append(at)
    )
    assert [at for at in told if at[1] == at[2]] == [("swaps", 4, 4), ("pictures", 12, 12)]
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(file.name for file in made.files.values())
    found = json.loads(made.files["results"].read_text(encoding="utf-8"))
    assert found["splits"]["seen"]["parts"].keys() == {"clip_l", "clip_g", "t5xxl", "pooled"}
    assert found["proxies"]["proxy"].startswith("no truth")
    assert found["proxies"]["lpips_from_before"]["rewrite"]["count"] == 2
    assert found["proxies"]["cases"][0]["prompt"] != found["proxies"]["cases"][0]["rewrite"]
    html = made.files["report"].read_text(encoding="utf-8")
    assert html.count("<small>a proxy</small>") == 2 and "no truth" in html
    assert "no truth" in text_report.summary(made.metrics, made.proxies)


def test_a_refused_edit_counts_as_no_change(sd3_learnt, opened):
    # "blond hair" was never captured in this dictionary: its swaps leave picture and prompt as they are.
    learnt = load_dictionary(sd3_learnt / "d.safetensors")
    for name, part in learnt.parts.items():
        if name != "pooled":
            part.slot_tokens[: len(learnt.table.phrases)] = 0
    _, judges = opened
    found = proxies.measure(learnt, judges, TextConfig(prompts=2))
    assert all("was never written" in why or "rows" in why for why in found.refused)
    assert np.array_equal(found.pictures["before"], found.pictures["edited"])
    assert found.direction["edited"] == [0, 0]
    assert found.apart == {} and found.json()["lpips_from_before"] == {}
    assert found.json()["notes"][0].startswith("LPIPS was left out: name its weights")
    assert isinstance(found.cases[0], cases.Case)


def test_mean_interval_by_hand():
    # 1, 2, 3: spread 1 with n − 1, so the half-width is 1.96 / √3.
    found = proxies.mean([1, 2, 3])
    assert found == pytest.approx((2, 2 - 1.959964 / 3**0.5, 2 + 1.959964 / 3**0.5, 3))
