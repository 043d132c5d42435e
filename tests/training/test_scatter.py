"""How tokens scatter about their slots' means, in codes, from a second look at a capture."""

import torch

from supsae.supsae_core.capture.typed import Typed
from supsae.supsae_core.dictionary.model import POOLED
from supsae.training import gather
from supsae.training.scatter import PADS, scatter


def decoder_of(width, columns, seed=0):
    """A few directions."""
    made = torch.linalg.qr(torch.randn(columns, width, generator=torch.Generator().manual_seed(seed))).Q.T
    return made.contiguous()


def test_it_is_that_of_the_rows_themselves(learnt):
    """Every token of t5 about the mean of its slot, by hand; of many pads every so many-th, for its share of all."""
    capture, plan = learnt.capture, learnt.capture.plan
    typed, widths = Typed(plan), {encoder.name: encoder.width for encoder in plan.family.encoders}
    statistics = gather.gather(capture, capture.read("fit"), "fit", typed)
    decoders = {name: decoder_of(4, width) for name, width in {**widths, POOLED: plan.family.pooled_width}.items()}
    found = scatter(capture, decoders, statistics, typed)
    (encoder,) = (one for one in plan.family.encoders if one.name == "t5")
    means, decoder, phrases = (
        statistics["t5"].total().mean_token,
        decoders["t5"].double(),
        len(plan.table.phrases),
    )
    wanted = torch.zeros(2, 4, 4, dtype=torch.float64)
    pooled = []
    for row in capture.read("fit"):
        pooled.append(row.pooled.double())
        layout, x = typed.layouts(row)["t5"], row.cond[:, encoder.first : encoder.last].double()
        for span in layout.spans:
            off = (x[list(span.rows)] - means[span.phrase, : len(span.rows)]) @ decoder.T
            wanted[0] += off.T @ off
        for name, rows in layout.roles.filled().items():
            some = list(rows)[:: -(-len(rows) // PADS)] if name == "pad" else list(rows)
            off = (x[some] - means[phrases + plan.family.roles.index(name), 0]) @ decoder.T
            wanted[1] += len(rows) / len(some) * off.T @ off
    torch.testing.assert_close(torch.stack(found["t5"]), wanted, rtol=1e-4, atol=1e-4 * float(wanted.max()))
    about = torch.stack(pooled) @ decoders[POOLED].double().T
    about = about - about.mean(0)
    torch.testing.assert_close(found[POOLED].roles, about.T @ about, rtol=1e-4, atol=1e-4)
    assert not found[POOLED].phrases.any()
