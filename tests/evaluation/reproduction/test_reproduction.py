"""The paper's experiment: what is drawn before anything is learnt, and a whole run on a tiny random SD3."""

import json
from functools import partial

import numpy as np
import pytest
import torch

from supsae.cli import parser, reproducing
from supsae.evaluation.baselines import flattened_ridge, paper
from supsae.evaluation.cases import make_case
from supsae.evaluation.outcomes import Outcome
from supsae.evaluation.reproduction import asked, told
from supsae.evaluation.reproduction.asked import ReproduceConfig, draw_experiment
from supsae.evaluation.reproduction.told import Became
from supsae.hosts.embedded import PortraitsText
from supsae.portraits import captions
from supsae.supsae_core.table.parsing import load_table, parse_table
from supsae.training import capture

CONFIG = ReproduceConfig(prompts=60, calibration=8, swaps=6, qualifying=1)
TABLE = captions.table()


@pytest.fixture(scope="module")
def host():
    return PortraitsText()


@pytest.fixture(scope="module")
def experiment(host):
    return draw_experiment(TABLE, host, CONFIG)


def test_no_case_was_learnt_from(experiment):
    known = {entry.prompt.text for entry in experiment.plan.entries}
    assert len(known) == 60 + 2 * 8
    for case in experiment.cases:
        assert not {case.prompt.text, case.rewrite.text} & known
        assert case.edits[0].concept.startswith("hair: ") and case.prompt.text.count(",") == len(TABLE.categories) - 1
    assert {prompt.text for _, prompt in experiment.qualifying}.isdisjoint(
        entry.prompt.text for entry in experiment.plan.entries if entry.set == "fit"
    )


def test_every_concept_qualifies_in_prompts_that_say_it(experiment):
    assert [concept for concept, _ in experiment.qualifying] == list(range(len(TABLE)))
    assert all(concept in prompt.support(TABLE) for concept, prompt in experiment.qualifying)


def test_prompts_that_differ_in_one_category_stand_behind_one_another(experiment):
    origin, rewrites = None, 0
    for entry in experiment.plan.entries:
        if entry.of:
            own, other = (set(one.prompt.support(TABLE)) for one in (entry, origin))
            assert entry.of == origin.prompt.text and len(own - other) == 1
            rewrites += 1
        else:
            origin = entry
    assert 0 < rewrites < 60


def test_the_same_arguments_draw_the_same(host, experiment):
    again = draw_experiment(TABLE, host, CONFIG)
    assert again.plan == experiment.plan and again.cases == experiment.cases


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"prompts": 9}, "prompts is 9; it must be 10 or more"),
        ({"qualifying": -1}, "qualifying is -1"),
        ({"prompts": 10, "category": "shoes"}, "There is no category 'shoes'.*Choose one of: background, hair"),
    ],
)
def test_settings_that_will_not_do(host, config, message):
    with pytest.raises(ValueError, match=message):
        draw_experiment(TABLE, host, ReproduceConfig(**config))


def test_a_table_with_too_few_combinations(host):
    small = parse_table("hair: {red: [red hair], blond: [blond hair]}\nhat: {crown: [golden crown], none: [no hat]}")
    with pytest.raises(ValueError, match=r"has 4 combinations .* never seen\. Add values to the table\.$"):
        draw_experiment(small, host, ReproduceConfig(prompts=10))
    # 3 · 8 combinations: half of them may be learnt
    hats = ", ".join(f"a{number}: [hat {number}]" for number in range(8))
    some = parse_table(f"hair: {{red: [red hair], blond: [blond hair], grey: [grey hair]}}\nhat: {{{hats}}}")
    with pytest.raises(ValueError, match="has 24 combinations .* at most 12 prompts, or add values"):
        draw_experiment(some, host, ReproduceConfig(prompts=13))


def test_the_papers_table_has_room_for_its_experiment():
    table = load_table(asked.TABLE)
    sizes = [len(members) for members in table.categories.values()]
    assert len(table) == 28 and int(np.prod(sizes)) == 4224  # 2 · 2 · 11 · 3 · 2 · 4 · 4, of which 1500 are learnt


@pytest.fixture(scope="module")
def captured(host, experiment, tmp_path_factory):
    return capture.capture_text(host, tmp_path_factory.mktemp("capture"), experiment.plan)


def test_sums_give_what_all_rows_give(captured):
    prompts = paper.flattened(captured, "fit")
    normal = flattened_ridge._normal(prompts.labels, prompts.x)
    rows, pooled = paper.split(flattened_ridge.solve(normal, 1.0)[:-1].float(), prompts.shape)
    made = flattened_ridge.by_sums(captured)
    torch.testing.assert_close(made.rows, rows, atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(made.pooled, pooled, atol=1e-4, rtol=1e-3)


def test_two_passes_keep_what_one_keeps(captured):
    prompts = paper.flattened(captured, "fit")
    kept, narrow = paper.narrowed(captured, 50)
    assert torch.equal(kept, paper.widest(prompts.x, 50)) and torch.equal(narrow.x, prompts.x[:, kept])
    assert torch.equal(narrow.labels, prompts.labels) and narrow.shape == prompts.shape


def test_swaps_of_what_the_model_does_not_draw_are_left_out():
    table = parse_table(
        "hair: {red: [red hair], blond: [blond hair], blue: [blue hair]}\nhat: {cap: [a cap], none: [no hat]}"
    )
    cases = [make_case(table, asked._prompt(table, (old, 3)), [(old, new)], 0) for old, new in ((0, 1), (0, 2), (1, 0))]
    good, bad = Outcome(True, {"hat": True}), Outcome(False, {"hat": False})
    became = [Became(case, {"SupSAE": one}) for case, one in zip(cases, (good, bad, bad), strict=True)]
    qualified = {
        "hair: red": {"shown": 3, "of": 4},
        "hair: blond": {"shown": 4, "of": 4},
        "hair: blue": {"shown": 2, "of": 4},
    }
    found = told.figures(became, table, qualified)
    assert told.weak(qualified) == ["hair: blue"]  # 2 of 4 is below 0.75
    assert found["all cases"]["SupSAE"]["success"]["estimate"] == round(1 / 3, 4)
    both = found["qualified cases"]["SupSAE"]["both"]
    assert (both["estimate"], both["count"]) == (0.5, 2)


WORDS = {
    "hair": ("red", "fair", "black", "blue"),
    "hat": ("cap", "crown", "hood"),
    "sky": ("sun", "moon", "snow", "rain"),
}


@pytest.mark.slow
def test_a_run_on_a_random_model_goes_on_where_it_stopped(sd3, clip_folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(reproducing, "ReproduceConfig", partial(ReproduceConfig, qualifying=1))
    table, out = tmp_path / "table.json", tmp_path / "out"
    table.write_text(json.dumps({name: {one: [one] for one in some} for name, some in WORDS.items()}))
    command = f"reproduce --model {sd3.folder} --clip {clip_folder} --out {out} --table {table} --prompts 14"
    command += " --calibration 4 --picture-size 64x64 --steps 1 --cfg 1.0 --swaps"
    assert parser.main([*command.split(), "2"]) == 0
    said = capsys.readouterr().out
    assert "GB of weights" in said and "a proxy, no truth" in said and "all cases (2), SupSAE" in said
    pictures = sorted((out / "pictures").glob("*.png"))
    assert len(pictures) == 5 * 2 + 11  # five ways of two cases, and eleven concepts once
    found = json.loads((out / "results.json").read_text(encoding="utf-8"))
    assert len(found["cases"]) == 2 and sum(one["of"] for one in found["qualified"].values()) == 11

    times = {file.name: file.stat().st_mtime_ns for file in out.rglob("*.safetensors")}
    pictures[0].unlink()
    assert parser.main([*command.split(), "2"]) == 0
    assert pictures[0].exists() and json.loads((out / "results.json").read_text(encoding="utf-8")) == found
    assert times == {file.name: file.stat().st_mtime_ns for file in out.rglob("*.safetensors")}

    assert parser.main([*command.split(), "3"]) == 2
    assert "other settings" in capsys.readouterr().err
