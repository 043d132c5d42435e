"""Edits against the encoded rewrites of the same prompts."""

import torch
from script_parts import tell
from sd3_parts import drawn, encoded, encoders, known, learnt, name, table

from supsae.supsae_core.editing.apply import apply
from supsae.supsae_core.editing.edits import Add, Remove, Swap
from supsae.supsae_core.encoders.layout import Layout
from supsae.supsae_core.reading import readout
from supsae.supsae_core.table import prompts
from supsae.training import calibration

seen = {}


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
    seen[kind] = {key: float(one / whole) for key, (one, whole) in left.items()}
seen["added and found"] = [sum(found_added), len(found_added)]
tell(seen)
