"""A dictionary judged without pictures: figures that a plant moves, bad input that gets a sentence, files that last."""

import re
from dataclasses import replace

import pytest
import torch

from supsae.evaluation.report import files
from supsae.evaluation.results import Hooks
from supsae.evaluation.text import cases, sums
from supsae.evaluation.text.cases import TextConfig, encoded_cases, text_cases
from supsae.evaluation.text.metrics import plain, text_metrics
from supsae.evaluation.text.run import run_text
from supsae.supsae_core.dictionary.file import load_dictionary
from supsae.supsae_core.dictionary.model import POOLED
from supsae.supsae_core.table import prompts
from supsae.supsae_core.table.parsing import parse_table
from supsae.training.calibration import located, read

pytestmark = pytest.mark.slow

CONFIG = TextConfig(prompts=40, seed=1)
"""One swap or two a concept of Portraits' 28."""
FEW = TextConfig(prompts=10, seed=1)


@pytest.fixture(scope="module")
def metrics(learnt):
    return text_metrics(learnt.dictionary, learnt.host, CONFIG)


def with_parts(made, **changes):
    """Return a dictionary with fields of every encoder's part changed by functions."""
    parts = dict(made.parts)
    for name in parts.keys() - {POOLED}:
        parts[name] = replace(parts[name], **{key: f(getattr(parts[name], key)) for key, f in changes.items()})
    return replace(made, parts=parts)


def test_fresh_prompts_agree_with_the_fits_own_held_out_error(learnt, metrics):
    # The fit's figure comes from five folds of 200 prompts, this one from all 200 on 20 others: like it.
    for name, fitted in learnt.dictionary.report["parts"].items():
        found = metrics.splits["seen"].parts[name]
        # what is left of the pooled vector is small: 0.12 in the folds, 0.18 here
        assert found.fvu_slot == pytest.approx(fitted["fvu_slot"], rel=0.6 if name == POOLED else 1 / 3)
        if name != POOLED:
            assert found.fvu_token == pytest.approx(fitted["fvu_token"], rel=1 / 3)


def test_a_good_dictionary_has_good_figures(metrics):
    assert {name: split.swaps for name, split in metrics.splits.items()} == {"seen": 20, "unseen": 20}
    for split in metrics.splits.values():
        # one answer a category of every rewrite
        assert split.located.count == 20 * 8 and split.located.estimate > 0.95
        assert split.named.estimate >= split.located.estimate
        assert all(part.undone < 0.6 for part in split.parts.values())
    assert metrics.unchanged[:1] + metrics.unchanged[3:] == (1, 40)
    assert {one.swaps for one in metrics.concepts.values()} <= {1, 2, 3}
    # three: 40 swaps judge 28 concepts, some by one case, and of 200 prompts a fifth speak of two people
    assert sum(bool(one.poor) for one in metrics.concepts.values()) <= 4 and not metrics.notes


def test_decode_that_knows_no_company_leaves_all_of_it(learnt):
    # Without effects the decode is the slot's mean, which is what fvu_slot is held against.
    alone = with_parts(learnt.dictionary, group_effects=torch.zeros_like, slot_effects=torch.zeros_like)
    for split in text_metrics(alone, learnt.host, FEW).splits.values():
        assert all(split.parts[name].fvu_slot == pytest.approx(1, rel=1e-6) for name in ("clip", "t5"))


def test_rows_that_are_their_decode_leave_nothing(learnt):
    (case,) = text_cases(learnt.dictionary, learnt.host, TextConfig(2))[0]["seen"]
    ((before, after),) = encoded_cases(learnt.host, [case])
    plain = sums.sums_of(learnt.dictionary, frozenset(), "seen", case, before, after)
    # T5 hears every other concept; a row's decode is origin + code @ decoder, written here over the row.
    part, layout = learnt.dictionary.parts["t5"], sums.known_reading(learnt.dictionary, after).layouts["t5"]
    cond, said = after.cond.clone(), set(after.entry.prompt.support(learnt.table))
    for span in layout.spans:
        around = torch.zeros(len(learnt.table))
        around[list(said - {learnt.table.phrases[span.phrase].concept})] = 1
        for token, row in enumerate(span.rows):
            cond[row] = part.bias + part.code(span.phrase, token, around) @ part.decoder
    exact = sums.sums_of(learnt.dictionary, frozenset(), "seen", case, before, after._replace(cond=cond))
    assert plain.decoded["t5"][0] > 1
    assert exact.decoded["t5"][0] < 1e-8 * plain.decoded["t5"][0]
    assert exact.decoded["t5"][1] > 1  # the slot's mean is still off


def test_unseen_words_are_those_that_hear_their_held_out_half(learnt):
    drawn, _ = text_cases(learnt.dictionary, learnt.host, TextConfig(8))
    for case in drawn["unseen"]:
        assert prompts.has_pair(case.rewrite.support(learnt.table), learnt.held_out)
        ((before, after),) = encoded_cases(learnt.host, [case])
        some, whole = (
            sums.sums_of(learnt.dictionary, learnt.held_out, split, case, before, after).decoded
            for split in ("unseen", "seen")
        )
        assert 0 < some["t5"][2] < whole["t5"][2]  # both halves hear each other in T5
        heard = {name: float(some[name][2] / whole[name][2]) for name in ("clip", "t5")}
        assert 0 < heard["clip"] < heard["t5"]  # only the later one does in CLIP
        assert torch.equal(some[POOLED], whole[POOLED])
    assert not any(prompts.has_pair(case.rewrite.support(learnt.table), learnt.held_out) for case in drawn["seen"])


def test_a_shifted_span_is_not_located(learnt, metrics):
    # Decode rows moved by one: a phrase's second token is looked for where its first stands.
    shifted = with_parts(learnt.dictionary, slot_codes=lambda codes: codes.roll(1, 1))
    found = text_metrics(shifted, learnt.host, FEW).splits
    assert all(found[name].located.high < metrics.splits[name].located.low for name in found)


def test_a_span_that_is_off_by_one_counts_as_named_only(learnt):
    # The truth moved by one instead: what is read is right, so each concept is named and none is in its place.
    (case,) = text_cases(learnt.dictionary, learnt.host, TextConfig(2))[0]["seen"]
    ((_, after),) = encoded_cases(learnt.host, [case])
    mentions = tuple(replace(one, start=one.start + 1, stop=one.stop + 1) for one in after.entry.prompt.mentions)
    prompt = prompts.Prompt(("so", *after.entry.prompt.words), mentions)
    counts = {name: (1, *some) for name, some in after.entry.counts.items()}
    moved = after._replace(entry=replace(after.entry, prompt=prompt, counts=counts))
    said = set(prompt.support(learnt.table))
    assert located(learnt.dictionary, read(learnt.dictionary, after)) == [(True, True)] * 8
    wanted = [(not said & set(members), True) for members in learnt.table.categories.values()]
    assert located(learnt.dictionary, read(learnt.dictionary, moved)) == wanted


def exchanged(size, one, other):
    order = torch.arange(size)
    order[[one, other]] = order[[other, one]]
    return order


def test_swapped_codes_show_in_their_concepts_alone(learnt, metrics):
    # "red hair" and "blue hair" change places, tokens and effects on others: asked for one, the other is written.
    made = learnt.dictionary
    red, blue = (learnt.table.index(f"hair: {name}") for name in ("red", "blue"))
    column = exchanged(28, red, blue)
    slot = exchanged(len(made.parts["t5"].slot_codes), made.phrase(red), made.phrase(blue))
    tokens = with_parts(
        made, slot_codes=lambda c: c[slot], slot_effects=lambda e: e[slot], mean_context=lambda m: m[slot]
    )
    fields = ("group_effects", "slot_effects", "mean_context")
    parts = {
        name: replace(part, **{field: getattr(part, field)[:, column] for field in fields})
        for name, part in tokens.parts.items()
    }
    planted = text_metrics(replace(made, parts=parts), learnt.host, CONFIG)
    for name in ("hair: red", "hair: blue"):
        good, bad = metrics.concepts[name], planted.concepts[name]
        assert all(bad.parts[part].mean < 0.8 * good.parts[part].mean for part in made.parts)
        assert all(bad.parts[part].undone > good.parts[part].undone + 0.3 for part in made.parts)
        assert re.match("Its change points elsewhere than the word's, most so in (clip|t5|pooled)", bad.poor)
    others = [name for name in metrics.concepts if not name.startswith("hair:")]
    for name in others:
        for part in made.parts:
            same = metrics.concepts[name].parts[part].mean  # but for how hair itself hears the other change
            assert planted.concepts[name].parts[part].mean == pytest.approx(same, rel=0.02)


def test_a_change_of_the_wrong_size_is_poorly_learnt(learnt):
    # Gains of 2 move twice as far; writing the word is then about half as much.
    parts = {name: replace(part, gains=2 * part.gains) for name, part in learnt.dictionary.parts.items()}
    doubled = replace(learnt.dictionary, parts=parts)
    found = text_metrics(doubled, learnt.host, FEW)
    poor = [one.poor for one in found.concepts.values() if one.swaps]
    said = r"Its change is too large: writing the word is 0\.[3-6]\d times"
    elsewhere = "Its change points elsewhere than the word's"
    assert all(re.match(said, one) or one.startswith(elsewhere) for one in poor) and any(
        map(re.compile(said).match, poor)
    )


def test_a_dictionary_of_another_model_is_refused(learnt, sd3_learnt):
    fingerprint = dict.fromkeys(learnt.dictionary.provenance["fingerprint"], [1.0] * 64)
    other = replace(learnt.dictionary, provenance={**learnt.dictionary.provenance, "fingerprint": fingerprint})
    with pytest.raises(ValueError, match="made for another text encoder.*Capture and fit anew"):
        text_metrics(other, learnt.host, FEW)
    with pytest.raises(ValueError, match="for the format 'sd3-diffusers', not for 'portraits'"):
        text_metrics(load_dictionary(sd3_learnt / "d.safetensors"), learnt.host, FEW)


def test_an_empty_split_is_said(learnt):
    known = {name: value for name, value in learnt.dictionary.provenance.items() if name != "held_out"}
    found = text_metrics(replace(learnt.dictionary, provenance=known), learnt.host, TextConfig(4))
    assert list(found.splits) == ["seen"] and found.splits["seen"].swaps == 4
    assert found.notes[0].startswith("Unseen pairs could not be measured: fitting held none out. Capture")
    # 4 swaps leave at least 24 of 28 concepts unasked
    assert found.notes[1].count(": ") >= 24 and "of which nothing can be said. Draw more prompts." in found.notes[1]


def test_prompts_without_room_are_refused(learnt, monkeypatch):
    monkeypatch.setattr(cases, "TRIES", 20)
    many = parse_table("\n".join(f"place {i}: [a {i} dark old house, a {i} bright new house]" for i in range(40)))
    crowded = replace(learnt.dictionary, table=many, provenance={})
    with pytest.raises(ValueError, match="mention rate of 1 none has room in the text encoders. Choose a lower rate"):
        text_cases(crowded, learnt.host, TextConfig(2, mention=1.0))
    # the same table with few categories mentioned has room
    assert text_cases(crowded, learnt.host, TextConfig(2, mention=0.05))[0]["seen"]
    with pytest.raises(ValueError, match="At least 2 prompts and a mention rate above 0 .* not 1 and 0.75"):
        TextConfig(1)


def test_a_concept_that_was_never_captured_is_said(learnt):
    crown = learnt.table.index("hat: crown")
    own = [slot for slot, phrase in enumerate(learnt.table.phrases) if phrase.concept == crown]
    without = with_parts(learnt.dictionary, slot_tokens=lambda lengths: lengths.index_fill(0, torch.tensor(own), 0))
    found = text_metrics(without, learnt.host, FEW)
    assert found.concepts["hat: crown"] == (0, {}, "No captured prompt wrote it. Capture more prompts.")
    assert plain(found.json())["never_captured"] == ["hat: crown"]


def test_one_seed_gives_one_result_of_the_scoreboards_shape(learnt, tmp_path):
    told, said = [], []

    def part(name, total):
        told.append((name, total))
        return lambda count: told.append(count)

    first, second = (run_text(learnt.dictionary, learnt.host, FEW, Hooks(said.append, part)) for _ in range(2))
    assert first.results == second.results and said[0] == "This encodes 20 prompts."
    assert told[0] == ("text", 10) and sum(one for one in told if isinstance(one, int)) == 2 * 10
    results = first.results
    assert (results["schema_version"], list(results["sections"])) == (2, ["text"])
    assert results["settings"] == {"prompts": 10, "seed": 1, "mention": 0.75}
    assert results["dictionary"]["held_out"] == len(learnt.held_out)
    found = results["sections"]["text"]
    assert found["identified"] == dict.fromkeys(learnt.table.categories, True)
    assert found["splits"]["unseen"]["located"]["count"] == 5 * 8
    written = files.write(first, tmp_path)
    assert sorted(written) == ["cosines", "report", "results"]
    html = written["report"].read_text(encoding="utf-8")
    assert "Swaps into pairs of concepts that fitting never saw together" in html and "hat: crown" in html
    assert "proxy" not in html  # no picture, so nothing to warn of
    assert "5 swaps into pairs" in files.summary(results) and "poorly learnt" in files.summary(results)
