"""Random text encoders of SD3's kind and a dictionary of them: what the scripts about SD3's text begin with.

The first script fits it and saves it in the process's base directory.
"""

import tempfile
from dataclasses import replace
from pathlib import Path

import comfy.cli_args
import numpy as np
import sd3_text
from script_parts import encode_with

from supsae.hosts.comfyui.text import ComfyText
from supsae.supsae_core.capture.captures import Encoded
from supsae.supsae_core.capture.plan import Entry
from supsae.supsae_core.dictionary.file import load_dictionary, save_dictionary
from supsae.supsae_core.editing.edits import Swap
from supsae.supsae_core.reading import readout
from supsae.supsae_core.table import prompts
from supsae.supsae_core.table.parsing import parse_table
from supsae.training import calibration, capture, fit
from supsae.training.solvers.exact import ExactConfig

TABLE = """
    hair: [blond hair, red hair, curly auburn hair]
    eyes: [green eyes, blue eyes]
    expression: {smile: [smiling, with a big smile], sad: [sad face], angry: [angry look]}
    clothing: [a dark-blue coat, silk kimono]
    place: [sandy beach, city at night, misty forest]
"""
PROMPT = "a photo of a person with blond hair, green eyes, smiling, sandy beach"
QUICK = ExactConfig(common_ridges=(10.0,), shared_ridges=(3.0,), own_ridges=(30.0,))
RED = [Swap("hair: red hair")]

table = parse_table(TABLE)
clip = sd3_text.clip()
host = ComfyText(clip)
bare = replace(host.wording, others=())  # random encoders hear other things as loudly as concepts
file = Path(comfy.cli_args.args.base_directory) / "sd3.safetensors"
if not file.exists():
    config = capture.CaptureConfig(prompts=64, calibration=12, rewrites=0, brief=0.0)
    plan = capture.plan_text(table, host, config, bare)
    made = fit.fit_dictionary(capture.capture_text(host, tempfile.mkdtemp(), plan), config=QUICK)
    save_dictionary(made, file)
learnt = load_dictionary(file)
encoders = learnt.family.encoders


def encode(prompt, with_clip=clip):
    return encode_with(with_clip, prompt)


def encoded(prompt):
    conds, pooled = host.encode([prompt.text])
    return Encoded(Entry(prompt, "test", host.counts(prompt.words)), conds[0].clone(), pooled[0].clone())


def known(row):
    return calibration.known_reading(learnt, row)


def drawn(count, seed):
    rng = np.random.default_rng(seed)
    return rng, [encoded(prompts.draw_prompt(table, rng, wording=bare)) for _ in range(count)]


def name(concept):
    return str(table.concepts[concept])


def said(cond):
    return [name(one) for one in readout.read_conditioning(learnt, cond.float()).concepts(learnt)]
