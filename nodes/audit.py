"""Audit: how often a concept is seen over many seeds, before and after an edit, and which seeds failed."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io, ui

from ..evaluation import audit
from ..hosts.comfyui.auditing import MOST, draw_seeds
from ..hosts.comfyui.comparing import NO_READER
from ..hosts.comfyui.forms import require_choice
from ..hosts.comfyui.pictures import drawing, to_image
from ..hosts.comfyui.references import LIKE, PLACE, UNLIKE, references
from ..supsae_core.editing.edits import spell_edit
from .drawing_inputs import drawing_inputs
from .node import Node
from .reports import told
from .sockets import CATEGORY, EditsSocket

READER, CLIP = JUDGES = "reader of Portraits", "CLIP Vision, a proxy"
"""Who looks at the pictures."""
LIKENESS = audit.AskedConcept(f"{PLACE}: {LIKE}", True)
"""What is asked of a picture that CLIP Vision looks at."""


class AuditNode(Node):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SupSAE_Audit",
            display_name="Audit",
            category=CATEGORY,
            is_output_node=True,
            description="Draw many seeds of a prompt without and with the edits, and show them on one sheet. Of "
            "Portraits it ticks the pictures that are as asked, and says how often a concept is seen before and after, "
            "with which seeds the edit failed, and what else changed.",
            search_aliases=["supsae audit", "seeds", "many seeds", "how often", "success rate", "contact sheet"],
            inputs=[
                *drawing_inputs(),
                EditsSocket.Input("edits", tooltip="From Concept Edit, one or several."),
                io.Int.Input(
                    "seeds",
                    default=8,
                    min=1,
                    max=MOST,
                    tooltip="How many seeds are drawn, from seed on one after the other. Each takes the time of two "
                    "pictures. The more, the narrower the intervals.",
                ),
                io.DynamicCombo.Input(
                    "judge",
                    options=[io.DynamicCombo.Option(READER, []), io.DynamicCombo.Option(CLIP, reference_inputs())],
                    tooltip="Who looks at the pictures. The reader knows Portraits alone. CLIP Vision says of any "
                    "model's which of two sets of reference pictures each is nearer to, which is no certainty.",
                ),
            ],
            outputs=[
                io.Image.Output(display_name="sheet", tooltip="Every seed's two pictures, with what was read in them."),
                io.Image.Output(display_name="pictures", tooltip="The edited pictures alone, seed by seed."),
                io.String.Output(
                    display_name="report",
                    tooltip="How often what was asked is seen, with which seeds not, and what else changed.",
                ),
                io.String.Output(display_name="by_seed", tooltip="A line a seed: what is read before and after."),
            ],
        )

    @classmethod
    def execute(cls, dictionary, edits, seed, seeds=8, judge=None, **how) -> io.NodeOutput:
        form = require_choice("judge", judge, JUDGES)
        proxy = references(form) if form["judge"] == CLIP else None
        look = proxy.look if proxy else None
        made = draw_seeds(lambda own: drawing(seed=own, **how), seed, seeds, dictionary, edits, look)
        asked = [LIKENESS] if proxy else audit.asked_of(dictionary.table, edits, made.said)
        seen = [audit.Seen(own, *read) for own, read in zip(made.seeds, made.readings, strict=bool(made.readings))]
        found = audit.tell(seen, asked) if seen else NO_READER
        title = found.splitlines()[0] if seen and asked else ", ".join(map(spell_edit, edits))
        sheet = to_image(audit.sheet(made.seeds, made.shown, seen, asked, title))
        report = "\n".join([*([proxy.told()] if proxy else []), found, made.report])
        panel = told(report, ui.PreviewImage(sheet, cls=cls))
        return io.NodeOutput(sheet, made.pictures, report, audit.by_seed(seen, asked), ui=panel)


def reference_inputs() -> list[Any]:
    """Return what CLIP Vision compares with."""
    return [
        io.ClipVision.Input("clip_vision", tooltip="From Load CLIP Vision."),
        io.Image.Input(LIKE, tooltip="Pictures that show what is asked, a batch; the more the better, two at least."),
        io.Image.Input(UNLIKE, tooltip="Pictures that are as the others but do not show it, such as unedited ones."),
    ]


NODES = [AuditNode]
