"""What ``supsae ship`` does: a dictionary with its licence, its maker and a strip of pictures, or what it lacks."""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from tqdm import tqdm

from ..drawing.cells import Cell, cells
from ..drawing.pairs import thumbnail
from ..evaluation.report.describe import describe
from ..hosts.embedded import PortraitsText
from ..supsae_core.dictionary.file import load_dictionary, save_dictionary
from ..supsae_core.dictionary.inherited import combined_of
from ..supsae_core.dictionary.model import Dictionary
from ..supsae_core.dictionary.shipped import Shipped, lacking, licence_of, with_shipped
from ..supsae_core.editing.apply import apply
from ..supsae_core.editing.edits import Turn
from ..supsae_core.files import replacing, require_writable
from ..supsae_core.host import check_host
from ..supsae_core.version import __version__
from .bars import onto

PROMPT = "a portrait of a person with black hair, green eyes, smiling"
"""What Portraits' strips begin with."""
ENDINGS = (".png", ".jpg", ".jpeg", ".webp")
WITHOUT = "without"
"""Name of the picture without any concept, where pictures are named."""
ACROSS = 6
"""Pictures of a line of the strip."""


def ship(args: argparse.Namespace) -> None:
    """Write a dictionary that is fit to be given away, and its strip beside it; say what it lacks otherwise."""
    learnt = load_dictionary(args.dictionary)
    portraits = learnt.family == PortraitsText.family
    model = args.model_name or ("Portraits" if portraits else "")
    lacks = [*lacking(learnt), *_unsaid(args, model, portraits)]
    if lacks:
        raise ValueError(f"{args.dictionary.name} is not fit to be given away. {' '.join(lacks)}")
    licence = licence_of(args.licence)
    out = args.out if args.out.suffix == ".safetensors" else args.out.with_suffix(".safetensors")
    if out.exists():
        raise ValueError(f"{out} is there already, and is not overwritten. Choose another --out.")
    require_writable(out)
    names = [str(one) for one in learnt.table.concepts]
    pictures = given_pictures(args.pictures, names) if args.pictures else _portraits(learnt, names, args.seed)
    strip = out.with_suffix(".jpg")
    _write_strip(strip, pictures, names, f"{args.author}: {out.stem}")
    made_with = (f"supsae {__version__}", f"torch {torch.__version__}")
    today, content = datetime.now(UTC).date().isoformat(), hashlib.sha256(strip.read_bytes()).hexdigest()
    said = Shipped(args.author.strip(), licence, model, today, made_with, strip.name, content)
    save_dictionary(with_shipped(learnt, said), out)
    print(f"{describe(load_dictionary(out))}\n\nWrote the dictionary {out} and its pictures {strip}. Give both away.")
    others = {str(one["licence"]) for one in combined_of(learnt.provenance) if one.get("licence")} - {licence}
    if others:
        print(f"It was combined of dictionaries under {', '.join(sorted(others))}: see that this allows {licence}.")


def _unsaid(args: argparse.Namespace, model: str, portraits: bool) -> list[str]:
    """Return what was not said on the command line, a sentence each."""
    missing = []
    if not args.author.strip():
        missing.append("Nobody is named as its author: add --author.")
    if not args.licence.strip():
        missing.append("It has no licence: add --licence with an SPDX identifier, such as CC-BY-4.0.")
    if not model:
        missing.append("It does not say whose text encoders it is for: add --model-name, such as 'FLUX.1 dev'.")
    if not args.pictures and not portraits:
        missing.append(
            "It has no pictures: save those of Try Concepts, which draws all concepts, in a folder and name that with "
            "--pictures."
        )
    return missing


def given_pictures(folder: Path, names: Sequence[str]) -> list[np.ndarray]:
    """Return the pictures of a folder: the one without, then one a concept in the table's order.

    Files are named after concepts, or they are as Save Image numbers what Try Concepts gives out.

    Raises:
        ValueError: naming the concepts that have no picture.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder} is no folder. Save the pictures of Try Concepts in one, and name that.")
    files = sorted(file for file in folder.iterdir() if file.suffix.lower() in ENDINGS)
    by_name = {_bare(file.stem): file for file in files}
    wanted = [WITHOUT, *names]
    found = [by_name.get(_bare(name)) for name in wanted]
    if not any(found):
        if len(files) != len(wanted):
            raise ValueError(
                f"{folder} holds {len(files)} pictures, and {len(wanted)} are needed: one without, and one for each of "
                f"{len(names)} concepts in the order of the table. Try Concepts draws them so; or name the files after "
                f"their concepts, and one of them {WITHOUT!r}."
            )
        return [_read(file) for file in files]
    missing = [name for name, file in zip(wanted, found, strict=True) if file is None]
    if missing:
        raise ValueError(f"{folder} has no picture of {', '.join(missing)}.")
    return [_read(file) for file in found if file is not None]


def _bare(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def _read(file: Path) -> np.ndarray:
    with Image.open(file) as opened:
        return np.asarray(opened.convert("RGB"))


def _portraits(learnt: Dictionary, names: Sequence[str], seed: int) -> list[np.ndarray]:
    """Draw the picture without and with each concept."""
    from ..hosts.diffusers import studio  # diffusers takes seconds to import

    models = studio.quickened(studio.load_studio())
    check_host(learnt, models.host)
    (cond,), (pooled,) = models.host.encode([PROMPT])
    made = [apply(learnt, cond, pooled, [Turn(name)]) for name in names]
    conds, vectors = [cond, *(one.cond for one in made)], [pooled]
    for one in made:
        assert one.pooled is not None
        vectors.append(one.pooled)
    with tqdm(total=1, desc="draw", unit="picture") as bar:
        return list(studio.draw_portraits(models, conds, vectors, [seed] * len(conds), progress=onto(bar)))


def _write_strip(strip: Path, pictures: Sequence[np.ndarray], names: Sequence[str], title: str) -> None:
    """Write a sheet of all pictures, each of the size of the first."""
    small = [thumbnail(picture) for picture in pictures]
    size = (small[0].shape[1], small[0].shape[0])
    alike = [np.asarray(Image.fromarray(one).resize(size)) if one.shape != small[0].shape else one for one in small]
    shown = [Cell(picture, name) for picture, name in zip(alike, [WITHOUT, *names], strict=True)]
    with replacing(strip) as part:
        cells(shown, title, across=ACROSS).save(part, "JPEG", quality=88)
