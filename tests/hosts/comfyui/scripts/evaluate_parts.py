"""An evaluation of a few pictures of Portraits: what the scripts about Evaluate Dictionary begin with."""

from supsae.evaluation.pictures import parts, run
from supsae.evaluation.pictures.run import EvalConfig

parts.SIZES["tiny"] = parts.Size(
    headline=2, baselines=0, calibration=0, split=0, several=0, curve=1, removal=2, adapter=0, text=4
)
run.PROBE = 1
tiny = EvalConfig("tiny", 7)
