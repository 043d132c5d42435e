"""all-MiniLM-L6-v2: a pre-trained sentence encoder of BERT's kind; its rows are its tokens, it has no pooled vector."""

from ..base import Encoder, Family
from ..padded import Padded

FAMILY = Family(
    "minilm",
    384,
    (Encoder("minilm", "minilm", Padded(64, start=1), 0, 384),),
    setting="64 rows, pads attended",
)
