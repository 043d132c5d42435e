"""Portraits' models and an evaluation of a few pictures: what the scripts about Evaluate Dictionary begin with."""

import sys

from script_parts import portraits_model, portraits_vae

from supsae.evaluation.pictures import parts, run
from supsae.evaluation.pictures.run import EvalConfig
from supsae.hosts.comfyui.portraits_clip import portraits_clip
from supsae.supsae_core.dictionary.file import load_dictionary

clip, model, vae = portraits_clip(), portraits_model(), portraits_vae()
learnt = load_dictionary(sys.argv[1])

parts.SIZES["tiny"] = parts.Size(
    headline=2, baselines=0, calibration=0, split=0, several=0, curve=1, removal=2, adapter=0, text=4
)
run.PROBE = 1
tiny = EvalConfig("tiny", 7)
