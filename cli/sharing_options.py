"""How ``supsae check`` and ``supsae ship`` are spelled: what comes before sharing a dictionary, and the sharing."""

import argparse
from pathlib import Path

from .options import host, number, path, seeded


def check_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model", type=path, metavar="FOLDER", help="SD3 or SD3.5 in diffusers' layout (default: Portraits)"
    )
    host(parser)
    parser.add_argument("--table", type=path, metavar="FILE", help="concepts (default: photographs, or Portraits' own)")
    parser.add_argument(
        "--out",
        type=path,
        default=Path("supsae-check"),
        metavar="FOLDER",
        help="of the report (default: ./supsae-check)",
    )
    number(parser, "--encodings", 120, "prompts to learn from; about 200 more are encoded to judge by")
    seeded(parser, 0, "of every choice")
    number(parser, "--pictures", 3, "swaps to draw three ways, 0 for none")
    parser.add_argument("--picture-size", default="1024x1024", metavar="WxH", help="of --model (default: 1024x1024)")
    number(parser, "--steps", 16, "of the sampler")
    number(parser, "--cfg", 3.0, "guidance")


def ship_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dictionary", type=path, metavar="DICTIONARY", help="a dictionary file")
    parser.add_argument("--out", type=path, required=True, metavar="FILE", help="the file to give away, new")
    parser.add_argument("--author", default="", metavar="NAME", help="who made it")
    parser.add_argument("--licence", default="", metavar="SPDX", help="such as CC-BY-4.0, or LicenseRef-… for another")
    parser.add_argument(
        "--model-name",
        default="",
        metavar="NAME",
        help="whose text encoders it is for (default: Portraits for its own)",
    )
    parser.add_argument(
        "--pictures", type=path, metavar="FOLDER",
        help="what Try Concepts gives out as pictures, saved: one without, then one a concept; or files named after "
        "the concepts and one named 'without' (default: drawn, for Portraits)",
    )  # fmt: skip
    seeded(parser, 0, "of the pictures that are drawn")
