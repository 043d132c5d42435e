"""The page's and the shell's words on the paper's model in the paper's setting, part by part."""

from collections.abc import Iterator

from ..intervals import Interval
from .blocks import folded, table, terms
from .methods import Json
from .numbers import figure
from .sections import Told

MEANING = {
    "Left": "‖x − x̂‖² / ‖x − mean‖² over prompts that nobody learnt from: 0 is perfect, 1 knows nothing.",
    "Cosine": "Between x and x̂, both about the mean of the prompts learnt from.",
    "Supervised": "The paper’s model: told which concepts a prompt says, and nothing of its rows. The lines below it "
    "change one part each. Where its codes do not learn, the decoder does all the work; least squares is the best that "
    "any code can do.",
    "Principal components, unsupervised": "Told the very rows that they have to give back: TopK auto-encoders with as "
    "many latents as there are concepts, or as numbers in their codes, as many at once as a prompt says concepts. What "
    "they find has no name.",
}


def reconstruction(section: Json) -> Told:
    """Tell what everyone leaves of rows, and how alike the paper's codes are."""
    head = ["", "Mean square error", "Left", "Cosine"]
    keys = ("error", "left", "cosine")
    rows = [[name, *(figure(Interval.parse(one[key])) for key in keys)] for name, one in section["rows"].items()]
    codes = [[name, f"{one['between']:.3f}", f"{one['within']:.3f}"] for name, one in section["codes"].items()]
    alike = table(["Root mean square cosine", "Between categories", "Within"], codes)
    asked = (
        f"One template, {section['prompts']} prompts to learn from and {section['tested']} kept aside, rows flattened "
        f"by position, the {section['dimensions']} dimensions of the largest range; {section['seeds']} seeds."
    )
    shown = table(head, rows) + folded("How alike the codes of concepts are", alike) + terms(MEANING)
    return Told("The paper’s model, part by part", asked, shown)


def lines(section: Json) -> Iterator[str]:
    """Yield the key figures for the shell."""
    yield f"The paper's model in the paper's setting, of {section['tested']} prompts kept aside"
    for name, one in section["rows"].items():
        yield f"  {name:<60}left {one['left']['estimate']:.3f}, cosine {one['cosine']['estimate']:.3f}"
