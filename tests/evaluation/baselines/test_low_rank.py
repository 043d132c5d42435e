"""The low-rank adapter: what it adds by hand, that it always lets go, and that training it imitates the rewrite."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from supsae.evaluation.baselines import low_rank
from supsae.evaluation.baselines.lessons import swapped, taught
from supsae.evaluation.baselines.low_rank import Adapter, LowRankConfig, adapted
from supsae.hosts.diffusers import studio
from supsae.hosts.diffusers.transformer import initial_noise, sample_latents
from supsae.portraits import captions
from supsae.supsae_core.table.prompts import Mention, Prompt

CONFIG = LowRankConfig(rank=2, runs=2, steps=12, batch=2, rate=1e-2)
TABLE = captions.table()
CONCEPT = "hair: red"


class Toy(nn.Module):
    """One attention projection, doubling, and one layer beside it."""

    def __init__(self):
        super().__init__()
        self.block = nn.ModuleDict({"attn": nn.ModuleDict({"to_q": nn.Linear(2, 2, bias=False)})})
        self.rest = nn.Linear(2, 2)
        self.block["attn"]["to_q"].weight.data = 2 * torch.eye(2)

    def forward(self, x):
        return self.block["attn"]["to_q"](x)


NAME = "block.attn.to_q"
TOY = Adapter("hair: red", {NAME: torch.tensor([[1.0, 1.0]])}, {NAME: torch.tensor([[3.0], [0.0]])})
X = torch.tensor([[1.0, 2.0]])


@torch.no_grad()
@pytest.mark.parametrize(("strength", "wanted"), [(1.0, [11, 4]), (0.5, [6.5, 4]), (0.0, [2, 4]), (-1.0, [-7, 4])])
def test_adapted_by_hand(strength, wanted):
    # W x = (2, 4); D x = 1 + 2 = 3; U D x = (9, 0)
    model = Toy()
    with adapted(model, TOY, strength):
        assert model(X)[0].tolist() == wanted
    assert model(X)[0].tolist() == [2, 4]


def test_an_adapter_lets_go_after_an_exception():
    model = Toy()
    with pytest.raises(KeyError), adapted(model, TOY, 1.0), adapted(model, TOY, 0.5):
        assert len(model.block["attn"]["to_q"]._forward_hooks) == 2
        raise KeyError
    down, up = ({**half, "block.attn.gone": torch.zeros(1, 1)} for half in (TOY.down, TOY.up))
    half = replace(TOY, down=down, up=up)  # goes onto the first module alone
    with pytest.raises(AttributeError), adapted(model, half, 1.0):
        pass
    assert not model.block["attn"]["to_q"]._forward_hooks


def said(*spellings):
    """A prompt of one-word mentions; the words do not matter here."""
    indices = [TABLE.index(one) for one in spellings]
    return Prompt(
        tuple(TABLE.phrases[TABLE.first_phrase[i]].text.replace(" ", "-") for i in indices),
        tuple(Mention(TABLE.first_phrase[i], at, at + 1) for at, i in enumerate(indices)),
    )


def test_what_is_learnt_from():
    red, crown = TABLE.index("hair: red"), TABLE.index("hat: crown")
    spellings = ("hair: blue", "hat: crown"), ("hair: red",), ("hat: crown",), ("eyes: blue", "hair: black")
    prompts = [said(*some) for some in spellings]
    found = swapped(TABLE, red, prompts, ())
    assert [one for one, _ in found] == [prompts[0], prompts[3]]
    assert [other.support(TABLE) for _, other in found] == [(red, crown), (TABLE.index("eyes: blue"), red)]
    assert swapped(TABLE, red, prompts, {frozenset((red, crown))}) == found[1:]
    with pytest.raises(ValueError, match="No prompt says another value in place of 'hair: red'"):
        swapped(TABLE, red, prompts[1:3], ())


@pytest.fixture(scope="module")
def models():
    return studio.load_studio()


@pytest.fixture(scope="module")
def prompts(learnt):
    return [entry.prompt for entry in learnt.capture.plan.entries if entry.set == "fit"]


@pytest.fixture(scope="module")
def trained(models, prompts):
    seen = []
    made = low_rank.train(models, TABLE, CONCEPT, prompts, CONFIG, progress=lambda *at: seen.append(at))
    return made, seen


@pytest.fixture(scope="module")
def swaps(prompts):
    return swapped(TABLE, TABLE.index(CONCEPT), prompts)


@pytest.fixture(scope="module")
def lessons(models, swaps):
    return taught(models, swaps, CONFIG.runs, CONFIG.seed)


def test_training_imitates_the_rewrite(models, lessons, trained):
    # iterative: compare residuals, on the very runs that were learnt from
    config = replace(CONFIG, empty=0.0, batch=16)

    def error(strength):
        with torch.no_grad(), adapted(models.transformer, trained[0], strength):
            return float(low_rank.loss(models.transformer, lessons, config, torch.Generator().manual_seed(0)))

    assert error(1.0) < 0.8 * error(0.0)


def test_lessons_are_the_rewrites_own_runs(models, swaps, lessons):
    # the last recorded step of a run, taken once more, must arrive where studio.draw's sampler does
    conds, pooled = models.host.encode([rewrite.text for _, rewrite in swaps[:2]])
    wanted = sample_latents(
        models.transformer, torch.stack(conds), torch.stack(pooled), lessons.empty,
        initial_noise([0, 1]),
    )  # fmt: skip
    new, empty = lessons.target[:, :, -1]
    made = lessons.x[:, -1] - lessons.levels[-1] * (empty + 3 * (new - empty))
    torch.testing.assert_close(made, wanted, rtol=1e-4, atol=1e-4)


def test_a_swap_of_another_number_of_rows_is_left_out(models, swaps):
    long = tuple(replace(prompt, words=("a",) * 60 + prompt.words) for prompt in swaps[0])  # one chunk more
    longer = (swaps[0][0], long[1])
    of_both = taught(models, [swaps[1], long, longer, swaps[2]], 4, CONFIG.seed)
    wanted = taught(models, [swaps[1], swaps[2]], 4, CONFIG.seed)
    assert torch.equal(of_both.cond, wanted.cond) and torch.equal(of_both.target, wanted.target)
    with pytest.raises(ValueError, match="None of 1 prompts has as many rows"):
        taught(models, [longer], 4, CONFIG.seed)


def test_training_leaves_the_model_as_it_was(models, trained):
    assert not any(module._forward_hooks for module in models.transformer.modules())
    assert not any(value.requires_grad for value in models.transformer.parameters())
    adapter, seen = trained
    assert seen == [(2, 14), *((2 + step, 14) for step in range(1, 13))]
    assert len(adapter.down) == 23  # 8 projections in 3 blocks; the last block puts no context out


def test_training_again_gives_the_same(models, prompts, trained):
    short = replace(CONFIG, runs=1, steps=1, batch=1)
    blank = low_rank.blank(models.transformer, CONCEPT, 1, torch.Generator().manual_seed(0))
    assert not any(x.any() for x in blank.up.values())
    one = low_rank.train(models, TABLE, CONCEPT, prompts, short)
    with torch.inference_mode():  # as ComfyUI runs nodes
        other = low_rank.train(models, TABLE, CONCEPT, prompts, short)
    assert all(torch.equal(one.up[name], other.up[name]) for name in one.up)
    assert any(one.up[name].any() for name in one.up)


def test_strength_0_draws_the_same_picture(models, prompts, trained):
    conds, pooled = models.host.encode([prompts[0].text])
    plain = studio.draw_portraits(models, conds, pooled, [3], steps=2)
    with adapted(models.transformer, trained[0], 0.0):
        assert (studio.draw_portraits(models, conds, pooled, [3], steps=2) == plain).all()
    with adapted(models.transformer, trained[0], 1.0):
        assert (studio.draw_portraits(models, conds, pooled, [3], steps=2) != plain).any()


def test_save_and_load(trained, tmp_path):
    file = tmp_path / "red.safetensors"
    trained[0].save(file)
    loaded = low_rank.load(file)
    assert loaded.concept == CONCEPT and loaded.down.keys() == loaded.up.keys() == trained[0].down.keys()
    for half in ("down", "up"):
        assert all(torch.equal(getattr(loaded, half)[n], x) for n, x in getattr(trained[0], half).items())


def test_other_files_are_refused(tmp_path):
    file = tmp_path / "red.safetensors"
    with pytest.raises(ValueError, match="There is no low-rank adapter 'red.safetensors' in"):
        low_rank.load(file)
    file.write_bytes(b"\0" * 9)
    with pytest.raises(ValueError, match="'red.safetensors' is not a whole safetensors file"):
        low_rank.load(file)
    save_file({"kept": torch.zeros(1)}, file)
    with pytest.raises(ValueError, match="'red.safetensors' is not a low-rank adapter"):
        low_rank.load(file)
