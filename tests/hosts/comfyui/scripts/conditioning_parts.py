"""Portraits' text encoders and a dictionary of them: what the scripts about edits of conditionings begin with."""

import sys

from script_parts import encode_with

from supsae.hosts.comfyui.portraits_clip import portraits_clip
from supsae.supsae_core.dictionary.file import load_dictionary
from supsae.supsae_core.reading import readout

learnt, PROMPT = load_dictionary(sys.argv[1]), sys.argv[2]
clip = portraits_clip()


def encode(prompt):
    return encode_with(clip, prompt)


def said(entry, row=0):
    return readout.describe_reading(learnt, readout.read_conditioning(learnt, entry[0][row].float()))
