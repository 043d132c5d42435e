"""Dictionary files of other families, as far as a header tells: for what is said before anything runs."""

import json
from pathlib import Path

import torch
from server import ROOT

from supsae.supsae_core.tensor_files import TensorFile, write_tensors

SHIPPED = ROOT / "portraits" / "weights" / "supsae" / "portraits.safetensors"


def write_header(to: Path, family: str) -> None:
    """Write a file whose header is the shipped dictionary's, but for the family; it has no tensor of a dictionary's."""
    found = TensorFile(SHIPPED).metadata
    header = json.loads(found["header"]) | {"family": family}
    write_tensors(to, {"nothing": torch.zeros(1)}, {**found, "header": json.dumps(header, ensure_ascii=False)})
