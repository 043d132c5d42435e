"""What holds of every text host, whatever its family; the plain tests and those inside ComfyUI ask the same."""

import torch

from supsae.supsae_core.encoders.placing import layout_of, rows_of
from supsae.supsae_core.host import text_fingerprint
from supsae.supsae_core.table.prompts import Prompt

TEXTS = ("red hair", "a photo with red hair, green eyes", "")


def counts_of(host, text):
    return host.counts(text.split())


def rows_are_as_many_as_the_family_says(host):
    for text, cond in zip(TEXTS, host.encode(TEXTS)[0], strict=True):
        tokens = {name: sum(counts) for name, counts in counts_of(host, text).items()}
        assert cond.shape == (host.family.length(tokens), host.family.width), text


def rows_are_typed_and_every_one_has_one_place(host):
    for text, cond in zip(TEXTS[:2], host.encode(TEXTS[:2])[0], strict=True):
        rows = rows_of(cond, host.family)
        layouts = layout_of(host.family, None, Prompt(tuple(text.split()), ()), counts_of(host, text), rows)
        assert list(layouts) == [encoder.name for encoder in host.family.encoders]
        for encoder in host.family.encoders:
            placed = sorted(row for some in layouts[encoder.name].roles for row in some)
            assert placed == list(rows.of(encoder)), (text, encoder.name)


def vectors_are_of_the_family_s_width(host):
    conds, pooled = host.encode(TEXTS)
    assert all(one.shape == (host.family.pooled_width,) for one in pooled)
    assert all(one.dtype == torch.float32 and one.device.type == "cpu" for one in (*conds, *pooled))
    assert all(bool(one.isfinite().all()) for one in (*conds, *pooled))


def counts_have_an_entry_a_word(host):
    for text in TEXTS:
        found = counts_of(host, text)
        assert list(found) == [encoder.name for encoder in host.family.encoders]
        assert all(len(counts) == len(text.split()) and 0 not in counts for counts in found.values())


def a_prompt_does_not_depend_on_its_neighbours(host):
    together, alone = host.encode(TEXTS), host.encode(TEXTS[:1])
    for one, other in zip(together, alone, strict=True):
        torch.testing.assert_close(one[0], other[0], rtol=1e-4, atol=1e-4)


def the_same_text_gives_the_same_rows(host):
    assert torch.equal(host.encode(TEXTS[:1])[0][0], host.encode(TEXTS[:1])[0][0])
    assert text_fingerprint(host) == text_fingerprint(host)


INVARIANTS = {
    one.__name__: one
    for one in (
        rows_are_as_many_as_the_family_says,
        rows_are_typed_and_every_one_has_one_place,
        vectors_are_of_the_family_s_width,
        counts_have_an_entry_a_word,
        a_prompt_does_not_depend_on_its_neighbours,
        the_same_text_gives_the_same_rows,
    )
}
