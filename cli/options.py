"""Options that several commands have, and how their values are read."""

import argparse
from pathlib import Path

LARGEST_SEED = 2**63 - 1
"""Files keep seeds as whole numbers of 64 bits."""


def path(text: str) -> Path:
    """Read a path that is written out: nothing at all would mean the folder one stands in."""
    if not text.strip():
        raise argparse.ArgumentTypeError("is empty. Name a file or a folder; '.' is the one you stand in.")
    return Path(text)


def seed(text: str) -> int:
    """Read a seed."""
    found = int(text) if text.strip().isdecimal() and len(text) < 20 else -1
    if not 0 <= found <= LARGEST_SEED:
        raise argparse.ArgumentTypeError(f"is {text!r}. A seed is a whole number from 0 to {LARGEST_SEED}.")
    return found


def number(parser: argparse._ActionsContainer, name: str, default: float, about: str) -> None:
    """Add an option that takes a number of its default's type."""
    metavar = "N" if isinstance(default, int) else "X"
    said = f"{about} (default: {default:g})"
    parser.add_argument(name, type=type(default), default=default, metavar=metavar, help=said)


def seeded(parser: argparse._ActionsContainer, default: int, about: str) -> None:
    parser.add_argument("--seed", type=seed, default=default, metavar="N", help=f"{about} (default: {default})")


def host(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    parser.add_argument(
        "--host", metavar="NAME",
        help="a text host: minilm (all-MiniLM-L6-v2), encoder (any of BERT's kind, in --model), or an installed "
        "package's, which gets --model",
    )  # fmt: skip
