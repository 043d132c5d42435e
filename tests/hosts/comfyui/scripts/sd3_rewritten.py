"""Where fresh prompts say what in every encoder, and edits against the encoded rewrites of the same prompts."""

import torch
from script_parts import below, between, expect
from sd3_parts import drawn, encoded, encoders, known, learnt, name, table

from supsae.supsae_core.editing.apply import apply
from supsae.supsae_core.editing.edits import Add, Remove, Swap
from supsae.supsae_core.encoders.layout import Layout
from supsae.supsae_core.reading import readout
from supsae.supsae_core.table import prompts
from supsae.training import calibration

# Share of the rewrite's squared change that an edit leaves undone, over rows that stand for one another. Measured: swap
# 0.36 0.36 0.10 0.79, add 0.29 0.28 0.11 0.88, remove 0.54 0.55 0.25 0.86. A random encoder hears more of commas and
# order than a trained one, its pooled row most.
LEFT = {
    "swap": {"clip_l": 0.45, "clip_g": 0.45, "t5xxl": 0.2, "pooled": 0.9},
    "add": {"clip_l": 0.4, "clip_g": 0.4, "t5xxl": 0.2, "pooled": 0.95},
    "remove": {"clip_l": 0.75, "clip_g": 0.75, "t5xxl": 0.5, "pooled": 0.95},
}


def leave(left, made, before, after, here, there):
    pooled = [(x - after.pooled).square().sum() for x in (made.pooled, before.pooled)]
    left["pooled"] = left.get("pooled", 0) + torch.stack(pooled)
    for encoder in encoders:
        columns = slice(encoder.first, encoder.last)
        a, b = calibration.paired_rows(here[encoder.name], there[encoder.name])
        wanted = after.cond[b, columns]
        pair = [(x[a, columns] - wanted).square().sum() for x in (made.cond, before.cond)]
        left[encoder.name] = left.get(encoder.name, 0) + torch.stack(pair)


def written(layout, now):
    # The tokens of an added phrase stand where pads were; all else is where it was.
    new = [span for span in now.spans if span.rows not in [one.rows for one in layout.spans]]
    rows = {row for span in new for row in span.rows}
    pads = tuple(row for row in layout.roles.pad if row not in rows)
    return Layout((*layout.spans, *new), layout.roles._replace(pad=pads))


def emptied(layout, concept):
    gone = [span for span in layout.spans if table.phrases[span.phrase].concept == concept]
    pads = tuple(row for span in gone for row in span.rows) + layout.roles.pad
    return Layout(tuple(span for span in layout.spans if span not in gone), layout.roles._replace(pad=pads))


rng, rows = drawn(30, 7)
swapped, added, removed = {}, {}, {}
found_added = []
for row in rows:
    prompt, reading = row.entry.prompt, known(row)
    support = prompt.support(table)
    for old in support[:1]:
        new = int(rng.choice([c for c in table.category(table.concepts[old].category) if c != old]))
        after = encoded(prompts.rewrite(table, prompt, old, new))
        made = apply(learnt, row.cond, row.pooled, [Swap(name(new))])
        leave(swapped, made, row, after, reading.layouts, known(after).layouts)
        after = encoded(prompts.delete(table, prompt, old))
        made = apply(learnt, row.cond, row.pooled, [Remove(name(old))])
        layouts = {key: emptied(layout, old) for key, layout in reading.layouts.items()}
        leave(removed, made, row, after, layouts, known(after).layouts)
    mentioned = {table.category_of[one] for one in support}
    for new in [one for one in range(len(table)) if table.category_of[one] not in mentioned][:1]:
        after = encoded(prompts.append(table, prompt, new))
        made = apply(learnt, row.cond, row.pooled, [Add(name(new))])
        now = readout.read_conditioning(learnt, made.cond)
        found_added.append(sorted(now.concepts(learnt)) == sorted((*support, new)))
        if all(len(now.layouts[e.name].spans) == len(support) + 1 for e in encoders):
            layouts = {key: written(layout, now.layouts[key]) for key, layout in reading.layouts.items()}
            leave(added, made, row, after, layouts, known(after).layouts)
for kind, left in (("swap", swapped), ("add", added), ("remove", removed)):
    for part, limit in LEFT[kind].items():
        one, whole = left[part]
        below(f"{kind} in {part}", float(one / whole), limit)
between("additions", 15, len(found_added), 31)
expect("what was added is found", all(found_added))

# right concept and exact span, or unmentioned where it is; whole layouts: spans, fillers, starts, ends and pads
_, rows = drawn(24, 99)
readings = [(readout.read_conditioning(learnt, row.cond).layouts, known(row).layouts) for row in rows]
between(
    "located categories",
    0.99,
    calibration.locate_accuracy(learnt, [calibration.read(learnt, row) for row in rows]) + 1e-6,
    1.1,
)
for encoder in encoders:
    right = sum(one[encoder.name] == truth[encoder.name] for one, truth in readings)
    between(f"located in {encoder.name}", 0.99, right / len(rows) + 1e-6, 1.1)
