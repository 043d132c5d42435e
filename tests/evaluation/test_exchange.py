"""What one rank learns, others have: taken apart and put together again, it is the same to the bit."""

import json
from dataclasses import fields, is_dataclass
from functools import partial

import pytest
import torch

from supsae.evaluation import exchange
from supsae.evaluation.baselines import latents, paper, sparse_direction
from supsae.evaluation.baselines.table import BASELINES, TOLD
from supsae.evaluation.baselines.topk import TopKConfig
from supsae.evaluation.text.trivial import LearntMeans
from supsae.hosts.embedded import PortraitsText
from supsae.training.calibration import known_reading

pytestmark = pytest.mark.slow
FEW = TopKConfig(latents=32, active=4, steps=3)
QUICK = {
    "paper": partial(paper.fit, config=paper.PaperConfig(epochs=1)),
    "paper, all dimensions": partial(paper.fit, config=paper.PaperConfig(keep=2**31, epochs=1)),
    "TopK auto-encoder": partial(latents.fit, config=FEW),
    "sparse direction": partial(sparse_direction.fit, config=FEW),
}
"""Those that are trained, in few steps."""
LEARNS = {**BASELINES, **TOLD, **QUICK, "means": lambda capture, host: LearntMeans.fit(capture)}


def same(one, other):
    """Tell whether two values are of one kind and equal, tensors to the bit."""
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one.nan_to_num(7.5), other.nan_to_num(7.5))
    if is_dataclass(one):
        return type(one) is type(other) and all(same(getattr(one, f.name), getattr(other, f.name)) for f in fields(one))
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, tuple | list):
        return type(one) is type(other) and all(same(*pair) for pair in zip(one, other, strict=True))
    return one == other


def sent(value, given):
    """Return what another rank makes of a value."""
    tensors = {}
    said = json.dumps(exchange.taken_apart(value, given, tensors))
    return exchange.put_together(json.loads(said), {name: one.clone() for name, one in tensors.items()}, given)


@pytest.mark.parametrize("learn", LEARNS.values(), ids=LEARNS)
def test_whatever_is_learnt_can_be_sent(paired, learn):
    host, plan = PortraitsText(), paired.capture.plan
    made = learn(paired.capture, host)
    assert same(made, sent(made, {"plan": plan, "family": plan.family, "host": host}))


def test_a_dictionary_can_be_sent(paired):
    dictionary = paired.dictionary
    reading = known_reading(
        dictionary, next(iter(paired.capture.read("calibration")))
    )  # and so it holds what it caches
    assert reading.found and dictionary.looks
    other = sent(dictionary, {"table": dictionary.table, "family": dictionary.family})
    assert same(dictionary, other) and other.operators and other.table is dictionary.table


def test_what_is_not_known_is_refused_with_the_remedy():
    with pytest.raises(TypeError, match="cannot tell others of a object. Name its class in exchange.CLASSES"):
        exchange.taken_apart([object()], {}, {})


def test_classes_have_names_of_their_own():
    assert exchange.CLASSES and len({one.__name__ for one in exchange.CLASSES}) == len(exchange.CLASSES)
    assert all(is_dataclass(one) for one in exchange.CLASSES)
