"""Where fresh prompts say what, in every encoder."""

from script_parts import tell
from sd3_parts import drawn, encoders, known, learnt

from supsae.supsae_core.reading import readout
from supsae.training import calibration

seen = {}
_, rows = drawn(50, 99)
readings = [(readout.read_conditioning(learnt, row.cond), known(row)) for row in rows]
seen["categories"] = calibration.locate_accuracy(learnt, rows)
for encoder in encoders:
    layouts = [(one.layouts[encoder.name], truth.layouts[encoder.name]) for one, truth in readings]
    seen[encoder.name] = sum(one == truth for one, truth in layouts) / len(rows)
tell(seen)
