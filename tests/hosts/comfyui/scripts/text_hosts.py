"""ComfyUI's CLIPs keep what every text host must: the invariants of tests/hosts/invariants.py."""

import sys
from pathlib import Path

import sd3_text

sys.path.append(str(Path(__file__).resolve().parents[2]))
from invariants import INVARIANTS

from supsae.hosts.comfyui.portraits_clip import portraits_clip
from supsae.hosts.comfyui.text import ComfyText

for clip in (portraits_clip(), sd3_text.clip()):
    for ask in INVARIANTS.values():
        ask(ComfyText(clip))
