"""Streams in a dictionary: fitted from a capture of activations, saved with it, and refused where they do not fit."""

import shutil
from dataclasses import fields, replace
from functools import partial

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from supsae.hosts.diffusers import studio
from supsae.hosts.diffusers.recording import DiffusersPictures
from supsae.portraits import captions
from supsae.supsae_core.capture.activations import load_activations
from supsae.supsae_core.capture.captures import start_capture
from supsae.supsae_core.dictionary.file import load_dictionary, save_dictionary
from supsae.supsae_core.dictionary.model import Codes
from supsae.supsae_core.editing import edits, steer
from supsae.supsae_core.editing.edits import Swap
from supsae.supsae_core.encoders import streams
from supsae.supsae_core.encoders.families import FAMILIES
from supsae.supsae_core.encoders.sites import Site, parse_sites
from supsae.supsae_core.files import HASH
from supsae.supsae_core.tensor_files import HASHES
from supsae.training import fit, recording
from supsae.training.calibration import known_reading
from supsae.training.capture import CaptureConfig
from supsae.training.recording import SamplingConfig
from supsae.training.solvers.exact import ExactConfig, exact
from supsae.training.solvers.groups import Groups

pytestmark = pytest.mark.slow
TABLE = captions.table()
PHRASES = len(TABLE.phrases)
HOW = SamplingConfig(parse_sites("txt@1, img@3"), steps=2, cfg=3.0, width=64, height=64, buckets=2)
QUICK = ExactConfig(common_ridges=(10.0,), shared_ridges=(3.0,), own_ridges=(30.0,))
"""One candidate in place of the search for the best ridges."""
NAMES = ("txt@1/clip", "txt@1/t5", "img@3/mean")


@pytest.fixture(scope="module")
def capture(tmp_path_factory):
    """40 prompts and 10 to calibrate on, of two steps each."""
    models = studio.load_studio()
    pictures = DiffusersPictures(models.transformer, partial(studio.negative, models))
    plan = recording.plan_activations(TABLE, models.host, pictures, CaptureConfig(40, 10), HOW, captions.WORDING)
    return recording.capture_activations(models.host, pictures, tmp_path_factory.mktemp("capture") / "capture", plan)


@pytest.fixture(scope="module")
def made(capture):
    return fit.fit_dictionary(capture, config=QUICK)


@pytest.fixture(scope="module")
def file(made, tmp_path_factory):
    save_dictionary(made, path := tmp_path_factory.mktemp("dictionary") / "streams.safetensors")
    return path


def test_every_site_and_noise_level_has_codes(capture, made):
    assert tuple(made.streams) == NAMES and made.centres == capture.plan.sampling.centres
    assert made.centres[0] > made.centres[1] > 0
    for name, some in made.streams.items():
        assert [len(one.slot_tokens) for one in some] == [1 if name == "img@3/mean" else PHRASES + 4] * 2
        assert all(one.decoder.shape[1] == 192 and len(one.decoder) <= 64 for one in some)
        assert all(one.gains.shape == (len(TABLE),) and bool(one.gains.isfinite().all()) for one in some)


def test_the_report_says_how_well_each_was_learnt(made):
    found = made.report["streams"]
    assert tuple(found) == NAMES and all(len(some) == 2 for some in found.values())
    for level in found["txt@1/t5"]:
        # 40 prompts tell the phrases of T5's rows apart, and nothing of what context does to them
        assert 0 < level["fvu_slot"] < 1.3 and level["agreement"] > 0.3 and 0.5 < level["gain"] < 1.5, level
    assert made.provenance["sampling"] == {"steps": 2, "cfg": 3.0, "width": 64, "height": 64}
    assert {"cond", "pooled", "txt@1", "img@3"} == {*made.provenance["fingerprint"]}


def test_a_swap_moves_the_stream_as_the_word_does(capture, made):
    """On the calibration pairs, once more and by hand: cosine of both changes over the T5 rows of the swapped words."""
    found, dots = load_activations(capture), torch.zeros(3)
    for place in range(40, 40 + 2 * 10, 2):
        before, after = capture.pick([place, place + 1])
        old, new = (one.entry.prompt.support(TABLE) for one in (before, after))
        concept = next(b for a, b in zip(old, new, strict=True) if a != b)
        reading, target = known_reading(made, before), known_reading(made, after)
        changes = edits.resolve_edits(made, [Swap(str(TABLE.concepts[concept]))], reading.concepts(made))
        step = steer.step_of("t5")(made, made.streams["txt@1/t5"][0], reading, changes)
        at = next(i for i, (a, b) in enumerate(zip(old, new, strict=True)) if a != b)
        here, there = (one.layouts["t5"].spans[at].rows[0] for one in (reading, target))
        rows = (found.rows(place + 1, Site("txt", 1))[0, there], found.rows(place, Site("txt", 1))[0, here])
        word = rows[0] - rows[1]
        dots += torch.stack([step[here] @ word, step[here] @ step[here], word @ word])
    assert float(dots[0] / (dots[1] * dots[2]).sqrt()) > 0.4


def test_every_tensor_comes_back_bit_for_bit(made, file):
    loaded = load_dictionary(file)
    assert tuple(loaded.streams) == NAMES and loaded.centres == made.centres and loaded.report == made.report
    for name, some in made.streams.items():
        for one, other in zip(loaded.streams[name], some, strict=True):
            assert type(one) is Codes
            assert [
                f.name for f in fields(Codes) if not torch.equal(getattr(one, f.name), getattr(other, f.name))
            ] == []


def test_a_dictionary_without_streams_has_none(learnt, tmp_path):
    save_dictionary(learnt.dictionary, file := tmp_path / "plain.safetensors")
    loaded = load_dictionary(file)
    assert (loaded.streams, loaded.centres) == ({}, ())


@pytest.mark.parametrize(
    ("name", "tensor", "message"),
    [
        ("txt@1/t5#1.slot_tokens", torch.zeros(3, dtype=torch.int64), "'slot_tokens' of 'txt@1/t5' in the shape"),
        ("img@3/mean#0.group_effects", torch.zeros(1, 5, 8), "'group_effects' of 'img@3/mean' in the shape"),
        ("img@3/mean#1.decoder", None, "does not hold what a dictionary does .'img@3/mean#1.decoder' is missing"),
    ],
)
def test_streams_that_do_not_fit_are_refused(file, tmp_path, name, tensor, message):
    with safe_open(file, "pt") as opened:
        metadata = {key: value for key, value in opened.metadata().items() if key not in (HASH, HASHES)}
    kept = {key: value for key, value in (load_file(file) | {name: tensor}).items() if value is not None}
    save_file(kept, tmp_path / "changed.safetensors", metadata)
    with pytest.raises(ValueError, match=message):
        load_dictionary(tmp_path / "changed.safetensors")


def test_an_unfinished_capture_is_not_fitted(capture, tmp_path):
    text = start_capture(tmp_path, capture.plan)
    for file in capture.folder.glob("shard-*"):
        shutil.copy(file, tmp_path)
    with pytest.raises(ValueError, match=r"is not finished \(60 of 60 prompts are not sampled\). Run Capture"):
        fit.fit_dictionary(text)


@pytest.mark.parametrize(
    ("name", "slots", "last"),
    [
        ("txt@0/clip", PHRASES + 4, 11), ("txt@0/t5", PHRASES + 4, 11), ("img@2/mean", 1, 0),
        ("img@2/attention", PHRASES, 7), ("img@2/positions", None, 0),
    ],
)  # fmt: skip
def test_slots_and_groups(name, slots, last):
    # Portraits has 8 categories, numbered 0 … 7, and 4 roles behind them
    assert streams.slots_of(name, TABLE, FAMILIES["portraits"]) == slots
    groups = streams.groups_of(name, TABLE, slots or 5)
    assert len(groups) == (slots or 5) and int(groups[-1]) == last and int(groups.min()) == 0
    assert streams.name_of(*streams.parse_part(name)) == name


@pytest.mark.parametrize("name", ["txt@0", "txt@0/mean", "img@0/clip", "cond/t5", "pooled/mean"])
def test_names_that_are_none(name):
    with pytest.raises(ValueError, match=f"There is no part '{name}'. Parts are such as txt@3/clip"):
        streams.parse_part(name)


def test_one_of_the_encoders_that_share_rows_stands_for_them(learnt):
    row = learnt.encoded(learnt.capture.plan.entries[0].prompt)
    layouts = known_reading(learnt.dictionary, row).layouts
    family = FAMILIES["sd3"]
    both = {"clip_g": layouts["clip"], "t5xxl": layouts["t5"]}
    assert streams.writer_of("clip", family, both) is family.encoder("clip_g")
    assert streams.writer_of("clip", family, {"t5xxl": layouts["t5"]}) is None


def test_codes_of_a_width_are_chosen_by_their_held_out_error(capture):
    """Of a wide and a narrow choice the one with the lesser error is taken; both errors are a width's own."""
    (sums, _) = load_activations(capture).sums("txt@1/t5")
    groups = Groups(streams.groups_of("txt@1/t5", TABLE, len(sums.lengths)), PHRASES)
    alone = {width: exact(sums, groups, replace(QUICK, rank=width)).measured["fvu_slot"] for width in (2, 32)}
    chosen = exact(sums, groups, replace(QUICK, widths=(2, 32))).measured
    assert chosen["rank"] == min(alone, key=alone.get) and chosen["fvu_slot"] == alone[int(chosen["rank"])]
