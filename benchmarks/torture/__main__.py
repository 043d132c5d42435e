"""Try to break what must not break: ``python -m benchmarks.torture --seed 1 --kills 1000 --inputs 10000``."""

import argparse
import sys
import tempfile
from pathlib import Path

import torch

from .faults import Tally, table
from .files import torture_files
from .kills import torture_kills
from .server import torture_server
from .soak import torture_soak
from .texts import torture_texts
from .world import TortureWorld

PARTS = ("files", "texts", "server", "soak", "kills")


def main() -> int:
    """Print a table (test, n, faults, worst case); return 1 if there is a fault."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.torture", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of every choice; default 1")
    parser.add_argument("--kills", type=int, default=100, help="processes killed while they write; default 100")
    parser.add_argument("--inputs", type=int, default=1000, help="files, texts, workflows and requests; default 1000")
    parser.add_argument("--minutes", type=float, default=0, help="of work that memory must not grow in; default none")
    parser.add_argument("--only", choices=PARTS, nargs="+", default=PARTS, help="parts to run; default all")
    parser.add_argument("--faults", type=Path, help="a file to write all faults to, one a line")
    args = parser.parse_args()
    torch.set_num_threads(1)  # killed processes are forks
    with tempfile.TemporaryDirectory(prefix="supsae-torture-") as folder:
        world, rows = TortureWorld(Path(folder)), list[Tally]()
        if "files" in args.only:
            rows += torture_files(world, args.inputs // 2, args.seed)
        if "server" in args.only:
            rows += torture_server(Path(folder), args.inputs // 10, args.seed)
        if "texts" in args.only:
            rows += torture_texts(world, args.inputs * 2 // 5, args.seed)
        if "soak" in args.only and args.minutes:
            rows += torture_soak(Path(folder), args.minutes, args.seed)
        if "kills" in args.only:
            rows += torture_kills(world, args.kills, args.seed)
    print(table(rows))
    if args.faults:
        lines = [f"{row.test}: {fault}" for row in rows for fault in row.faults]
        args.faults.write_text("".join(f"{line!r}\n" for line in lines), encoding="utf-8")
    return int(any(row.faults for row in rows))


if __name__ == "__main__":
    sys.exit(main())
