"""The command line: ``supsae demo | check | prompts | capture | merge | fit | edit | eval | …``; all in ``COMMANDS``.

``commands.py`` holds what they do.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from .options import host, number, path, seeded
from .sharing_options import check_arguments, ship_arguments


class Command(NamedTuple):
    """How a command is spelled."""

    help: str
    example: str
    arguments: Callable[[argparse.ArgumentParser], None]
    more: Callable[[], str] | None = None
    """makes a last part of its help that takes heavy imports"""


class _Parser(argparse.ArgumentParser):
    """A parser whose help may end in text that is made only when help is asked for."""

    more: Callable[[], str] | None = None

    def format_help(self) -> str:
        """Return the help."""
        return super().format_help() + (self.more() if self.more else "")


def _demo(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out", type=path, default=Path("supsae-demo"), metavar="FOLDER", help="default: ./supsae-demo"
    )
    number(parser, "--prompts", 300, "prompts to learn from")
    seeded(parser, 0, "of every choice")


def _table(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--table", type=path, metavar="FILE", help="concept table, YAML or JSON (default: Portraits')")
    parser.add_argument(
        "--mention",
        type=float,
        default=0.75,
        metavar="P",
        help="chance that a category is mentioned, lower where there are more than 14 and in the fifth of "
        "the prompts that say little (default: 0.75)",
    )
    parser.add_argument(
        "--held-out", type=float, default=0.0, metavar="SHARE",
        help="share of the pairs of concepts never to write together, to test on them (default: 0)",
    )  # fmt: skip
    seeded(parser, 0, "of every choice")


def _prompts(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--count", type=int, default=10, metavar="N", help="default: 10")
    parser.add_argument("--json", action="store_true", help="print a JSON list instead of text")
    _table(parser)


def _capture(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=path, required=True, metavar="FOLDER", help="where the capture goes, or goes on")
    parser.add_argument(
        "--model", type=path, metavar="FOLDER",
        help="an SD3 or SD3.5 model in diffusers' layout, the folder of its model_index.json (default: Portraits)",
    )  # fmt: skip
    host(parser)
    number(parser, "--prompts", 300, "prompts to fit on")
    parser.add_argument(
        "--rewrites", type=int, metavar="N",
        help="of these, how many rewrite each of the others in one phrase, to learn edits from; 0 for none (default: 1 "
        "of fewer than 200 prompts, else 3)",
    )  # fmt: skip
    number(parser, "--calibration", 64, "prompts kept for calibration, each with a rewrite")
    _table(parser)
    _sampling(parser)


def _sampling(parser: argparse.ArgumentParser) -> None:
    own = parser.add_argument_group("activations", "sample a picture of every prompt, and record the model's blocks")
    own.add_argument(
        "--sites", metavar="SITES", help="what to record: txt@1-2, img@3; without it no picture is sampled"
    )
    number(own, "--steps", 16, "of the sampler, Euler")
    number(own, "--cfg", 3.0, "guidance")
    own.add_argument("--size", default="128x128", metavar="WxH", help="of the pictures, in pixels (default: 128x128)")
    own.add_argument(
        "--image", default="mean", metavar="HOW",
        help="what becomes of the picture's tokens: mean (the default), attention: one mean a phrase, of the tokens "
        "that attend to it, or positions: each for itself",
    )  # fmt: skip


def _merge(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "sources",
        type=path,
        nargs=2,
        metavar="SOURCE",
        help="two finished captures of one set-up, or two dictionaries of the same text encoders",
    )
    parser.add_argument(
        "--out",
        type=path,
        required=True,
        metavar="PATH",
        help="folder of the merged capture, new, or the file of one dictionary",
    )
    parser.add_argument(
        "--clashes", default="first", metavar="WHOSE",
        help="first, second or both: what is kept of a concept that two dictionaries have under one name and that does "
        "something else in each; of both the second's gets a number behind its name (default: first)",
    )  # fmt: skip


def _fit(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("capture", type=path, metavar="CAPTURE", help="folder made by 'supsae capture'")
    parser.add_argument("--out", type=path, required=True, metavar="FILE", help="the dictionary, a .safetensors file")
    parser.add_argument("--solver", default="exact", metavar="NAME", help="one of those below (default: exact)")
    parser.add_argument(
        "--option", action="append", default=[], metavar="NAME=VALUE", dest="options",
        help="of the solver, such as rank=64; give --option several times for several",
    )  # fmt: skip
    parser.add_argument(
        "--slider", action="store_true",
        help="draw Portraits pictures over strengths (2 minutes) and scale the slider so that they change evenly",
    )  # fmt: skip


def _solvers() -> str:
    """Return every solver with its options and their defaults."""
    from ..training.solvers.options import option_lines
    from ..training.solvers.table import SOLVERS

    lines = ["", "solvers and their options:"]
    for name, solver in SOLVERS.items():
        lines += [f"  {name:8}{solver.about}", *(f"    {line}" for line in option_lines(solver.options))]
    return "\n".join([*lines, ""])


def _edit(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--prompt", required=True, metavar="TEXT", help="the prompt, which stays as it is")
    parser.add_argument(
        "--edit", action="append", required=True, metavar="EDIT", dest="edits",
        help="'ACTION CATEGORY: VALUE', if wanted with '#N' behind it for the Nth mention alone, as of two people, and "
        "'@ STRENGTH' (1, the default, is the effect of writing the word); actions are swap, add, remove and scale; "
        "give --edit several times for several edits",
    )  # fmt: skip
    parser.add_argument(
        "--accept", action="store_true",
        help="where a swap's category is not found: swap the words that may speak of it, instead of adding",
    )  # fmt: skip
    parser.add_argument(
        "--at", default="", metavar="WORDS", help="words of the prompt to swap, where the table lacks them"
    )
    parser.add_argument("--out", type=path, required=True, metavar="FILE", help="the picture, .png or .jpg")
    parser.add_argument("--dictionary", type=path, metavar="FILE", help="default: the Portraits dictionary that ships")
    parser.add_argument(
        "--people", type=int, choices=(1, 2), default=1, help="in the picture, side by side (default: 1)"
    )
    seeded(parser, 0, "of the picture")
    number(parser, "--steps", 16, "of the sampler")
    number(parser, "--cfg", 3.0, "guidance")


def _eval(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "dictionary", type=path, nargs="?", metavar="DICTIONARY", help="default: the Portraits dictionary that ships"
    )
    parser.add_argument(
        "--size", default="full", metavar="SIZE", help="quick, medium or full (the default): how much is asked"
    )
    parser.add_argument("--quick", action="store_const", dest="size", const="quick", help="short for --size quick")
    parser.add_argument(
        "--out", type=path, default=Path("supsae-eval"), metavar="FOLDER",
        help="of the report, the figures and the pictures; a run goes on with what is there (default: ./supsae-eval)",
    )  # fmt: skip
    seeded(parser, 4711, "of every choice")
    parser.add_argument("--parts", nargs="+", metavar="PART", help="ask these parts only, such as headline removal")
    parser.add_argument(
        "--no-pictures", action="store_true", help="judge how the dictionary decodes and reads prompts, nothing else"
    )
    parser.add_argument(
        "--mention", type=float, metavar="P",
        help="without pictures: chance that a category is mentioned; lower it where prompts grow too long "
        "(default: 0.75, with --text 0.6)",
    )  # fmt: skip
    text = parser.add_argument_group("text encoders", "edits judged by the rows of any text host")
    text.add_argument(
        "--text", action="store_true",
        help="capture, fit and judge edits of a host's rows against rewritten prompts and against everyone else, over "
        "several numbers of encodings",
    )  # fmt: skip
    host(text)
    text.add_argument(
        "--table", type=path, metavar="FILE", help="concepts of --text (default: photographs, or Portraits' own)"
    )
    other = parser.add_argument_group(
        "another model", "real SD3.5 has no exact truth: no reader, but a proxy on request"
    )
    other.add_argument("--model", type=path, metavar="FOLDER", help="SD3 or SD3.5 in diffusers' layout")
    other.add_argument(
        "--clip", type=path, metavar="FOLDER", help="CLIP in transformers' layout, to compare pictures by"
    )
    number(other, "--pictures", 16, "edits to draw for --clip")
    other.add_argument("--picture-size", default="1024x1024", metavar="WxH", help="in pixels (default: 1024x1024)")
    number(other, "--steps", 28, "of the sampler")
    number(other, "--cfg", 4.5, "guidance")


def _reproduce(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model", type=path, metavar="FOLDER", help="SD3 or SD3.5 in diffusers' layout (default: Portraits)"
    )
    parser.add_argument(
        "--clip", type=path, metavar="FOLDER", help="CLIP in transformers' layout, to read the pictures of --model by"
    )
    parser.add_argument(
        "--out", type=path, default=Path("supsae-reproduce"), metavar="FOLDER",
        help="of all that is made; a run goes on with what is there (default: ./supsae-reproduce)",
    )  # fmt: skip
    parser.add_argument(
        "--table", type=path, metavar="FILE", help="concept table (default: the paper's, with Portraits its own)"
    )
    number(parser, "--prompts", 1500, "prompts to learn from")
    number(parser, "--calibration", 64, "prompts kept for calibration, each with a rewrite")
    number(parser, "--swaps", 50, "swaps to judge, in combinations never seen")
    parser.add_argument("--category", default="hair", metavar="NAME", help="whose values are swapped (default: hair)")
    seeded(parser, 0, "of every choice")
    parser.add_argument("--picture-size", default="1024x1024", metavar="WxH", help="of --model (default: 1024x1024)")
    number(parser, "--steps", 28, "of the sampler of --model")
    number(parser, "--cfg", 4.5, "guidance of --model")


def _search(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dictionary", type=path, metavar="DICTIONARY", help="a dictionary file")
    parser.add_argument("concept", metavar="CONCEPT", help="'category: value', as in the dictionary's table")
    parser.add_argument(
        "folder", type=path, metavar="FOLDER",
        help="of text files with a prompt a line, and of PNG pictures that say what they were made from (ComfyUI's, "
        "AUTOMATIC1111's); folders below too",
    )  # fmt: skip
    parser.add_argument("--whole", action="store_true", help="a text file is one prompt, however many lines it has")
    parser.add_argument(
        "--model", type=path, metavar="FOLDER", help="SD3 or SD3.5 in diffusers' layout (default: Portraits)"
    )
    host(parser)
    number(parser, "--top", 20, "prompts to show, 0 for all")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def _inspect(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", type=path, metavar="FILE|CAPTURE", help="a dictionary file or a capture folder")
    parser.add_argument("--prompt", metavar="TEXT", help="read this prompt's conditioning with the dictionary")


COMMANDS: dict[str, Command] = {
    "demo": Command(
        "learn, edit and judge on the embedded Portraits world, in about a minute; writes a page with pictures",
        "supsae demo --out my-demo --seed 1",
        _demo,
    ),
    "check": Command(
        "say whether SupSAE works with a model: its layout, a small capture, edits against rewritten prompts, pictures "
        "and blocks, in one report that can be sent",
        "supsae check --model stable-diffusion-3.5-medium",
        check_arguments,
    ),
    "prompts": Command(
        "draw prompts from a concept table and print them with what they mention",
        "supsae prompts --table my_concepts.yaml --count 5",
        _prompts,
    ),
    "capture": Command(
        "encode prompts with the text encoders of Portraits or of SD3.5, and record the model's blocks if asked, to "
        "fit a dictionary on; goes on where it stopped, and shares the work with others on the same folder, or under "
        "torchrun -m supsae",
        "supsae capture --out captures/portraits --prompts 1500 --held-out 0.1",
        _capture,
    ),
    "merge": Command(
        "join two captures of the same set-up, drawn with other seeds, into one that takes no disk if it lies on "
        "theirs, or combine two dictionaries of the same text encoders",
        "supsae merge captures/one captures/two --out captures/both",
        _merge,
    ),
    "fit": Command(
        "fit a dictionary on a capture; writes the file and a picture of its cosine matrix beside it; shares the work "
        "under torchrun -m supsae",
        "supsae fit captures/portraits --out portraits.safetensors --option rank=64",
        _fit,
        _solvers,
    ),
    "edit": Command(
        "draw a portrait before and after an edit of its conditioning, side by side",
        'supsae edit --prompt "a portrait of a person with black hair, no hat" --edit "swap hair: red" '
        '--edit "swap hat: crown @ 0.8" --out red.png',
        _edit,
    ),
    "eval": Command(
        "judge a dictionary: on Portraits against exact truth and everything one could use instead; goes on where it "
        "stopped, and shares the cases under torchrun -m supsae",
        "supsae eval my_concepts.safetensors --quick",
        _eval,
    ),
    "reproduce": Command(
        "repeat the paper's experiment as published, SupSAE beside it: learn from prompts of one template, swap in "
        "combinations never seen, and look at the pictures; goes on where it stopped, and shares the work under "
        "torchrun -m supsae",
        "supsae reproduce --model stable-diffusion-3.5-medium --clip clip-vit-large-patch14",
        _reproduce,
    ),
    "ship": Command(
        "make a dictionary fit to be given away: its author, its licence, where it comes from, and a strip of pictures "
        "of every concept; says what is missing",
        'supsae ship mine.safetensors --author "A. Person" --licence CC-BY-4.0 --out given/mine.safetensors',
        ship_arguments,
    ),
    "inspect": Command(
        "describe a dictionary or a capture, or read what a prompt says with it",
        'supsae inspect portraits.safetensors --prompt "someone with golden hair and a top hat"',
        _inspect,
    ),
    "search": Command(
        "rank the prompts of a folder, of text files and of pictures, by how much they speak of a concept",
        'supsae search portraits.safetensors "hair: red" my-pictures --top 10',
        _search,
    ),
}
"""Spelling → command; ``commands.COMMANDS`` holds what each does."""


def parser() -> argparse.ArgumentParser:
    """Build the parser; it imports nothing heavy, so help comes at once."""
    made = _Parser(
        prog="supsae",
        description="Learn a dictionary of named concepts from a text encoder, and edit pictures by changing what "
        "their conditioning says.",
        epilog="Start with 'supsae demo'. Every command explains itself: supsae COMMAND --help.",
    )
    chosen = made.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, command in COMMANDS.items():
        sub = chosen.add_parser(
            name, help=command.help, description=f"{command.help[0].upper()}{command.help[1:]}.",
            epilog=f"example:\n  {command.example}", formatter_class=argparse.RawDescriptionHelpFormatter,
        )  # fmt: skip
        sub.more = command.more
        command.arguments(sub)
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns 0, 2 for input that will not do (said in one sentence), or 130 when interrupted."""
    args = parser().parse_args(argv)
    try:
        from . import commands

        commands.COMMANDS[args.command](args)
    except (ValueError, OSError) as error:
        print(f"supsae: {_sentence(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(
            "supsae: stopped. A capture or an evaluation goes on where it stopped when you run the same command again.",
            file=sys.stderr,
        )
        return 130
    return 0


def _sentence(error: ValueError | OSError) -> str:
    if isinstance(error, OSError) and error.strerror:
        place = f": {error.filename}" if error.filename else ""
        return f"{error.strerror}{place}."
    return str(error)


if __name__ == "__main__":
    sys.exit(main())
