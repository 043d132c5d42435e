"""How benchmarks are called, and where their numbers go."""

import argparse
import json
from pathlib import Path


def parser(file: str, doc: str | None) -> argparse.ArgumentParser:
    """Return the command line of a benchmark, given its ``__file__`` and ``__doc__``."""
    made = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    out = Path(file).with_name("results") / f"{Path(file).stem}.json"
    made.add_argument("--out", type=Path, default=out, help="the numbers, a JSON file")
    return made


def write(found: object, out: Path) -> None:
    """Write what was found as JSON, and print it."""
    told = json.dumps(found, indent=1)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(f"{told}\n", encoding="utf-8")
    print(f"{told}\nwrote {out}")
