"""ComfyUI's CLIPs as text hosts: which invariants of tests/hosts/invariants.py they break, and how."""

import sys
import traceback
from pathlib import Path

import sd3_text
from script_parts import tell

sys.path.append(str(Path(__file__).resolve().parents[2]))
from invariants import INVARIANTS

from supsae.hosts.comfyui.portraits_clip import portraits_clip
from supsae.hosts.comfyui.text import ComfyText

seen = {}
for family, clip in (("portraits", portraits_clip()), ("sd3", sd3_text.clip())):
    for name, ask in INVARIANTS.items():
        try:
            ask(ComfyText(clip))
            seen[f"{family}: {name}"] = ""
        except Exception:
            seen[f"{family}: {name}"] = traceback.format_exc()
tell(seen)
