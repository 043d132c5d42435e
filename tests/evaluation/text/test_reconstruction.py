"""The paper's setting: prompts of one template, and models that are told the labels or the rows."""

import itertools

import numpy as np
import pytest
import torch

from supsae.evaluation.text import reconstruction
from supsae.evaluation.text.reconstruction import PUBLISHED, Template, template_prompts, template_text
from supsae.portraits import captions
from supsae.supsae_core.table.parsing import parse_table

TABLE = parse_table(
    "hair: {red: [red hair, ginger], blond: [blond hair]}\nhat: {cap: [a cap], crown: [a crown], none: [no hat]}"
)
MODELS = reconstruction._models(5, 2, 3)


def test_a_template_says_one_value_of_every_category_in_order():
    drawn = template_prompts(TABLE, 100, np.random.default_rng(0))
    assert sorted(drawn) == list(itertools.product((0, 1), (2, 3, 4)))  # all 2 · 3 there are
    assert len(set(template_prompts(captions.table(), 50, np.random.default_rng(0)))) == 50
    assert template_text(TABLE, (0, 3)) == "red hair, a crown"


def test_a_table_of_few_combinations_is_said_to_be_too_small():
    assert "makes 6 prompts of this table, and 40 are needed" in reconstruction.too_few(TABLE)  # 2 · 3
    assert reconstruction.too_few(captions.table()) == ""


@pytest.fixture(scope="module")
def additive():
    """Rows that are a sum of one vector a concept: 6 prompts to learn from, over and over, and the same to test."""
    labels = torch.zeros(6, 5)
    for row, support in zip(labels, itertools.product((0, 1), (2, 3, 4)), strict=True):
        row[list(support)] = 1
    x = labels @ torch.randn(5, 12, generator=torch.Generator().manual_seed(0)) + 1
    return Template(x.repeat(40, 1), labels.repeat(40, 1)), Template(x, labels)


def left(model, told):
    fitted, tested = told
    return reconstruction._scores(tested.x, model(fitted, tested, 0), fitted.x.mean(0))["left"]


@pytest.mark.parametrize(
    "name", [PUBLISHED, "… codes fixed as they start: no free features", "least squares on the labels"]
)
def test_whoever_is_told_the_labels_learns_what_is_additive(additive, name):
    assert left(MODELS[name][0], additive) < 0.01


def test_labels_of_other_prompts_teach_nothing(additive):
    assert left(MODELS["… labels of other prompts: no supervision"][0], additive) > 0.8


def test_principal_components_need_as_many_as_there_are_directions(additive):
    # a category of two and one of three values span 1 + 2 directions about their mean
    assert left(reconstruction._components(3), additive) < 1e-6
    assert left(reconstruction._components(1), additive) > 0.05


def test_alike_by_hand():
    # about their means the values of either category are opposite, and the two categories lie on axes of their own
    vectors = torch.tensor([[2.0, 0.0], [0.0, 0.0], [5.0, 1.0], [5.0, 3.0]])
    assert reconstruction._alike(vectors, {"a": (0, 1), "b": (2, 3)}) == {"between": 0.0, "within": 1.0}
