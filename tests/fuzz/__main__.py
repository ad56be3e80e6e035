"""``python -m tests.fuzz``: damaged files for some minutes, after those found before; ends with 1 if anything was found."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from hashlib import sha256
from pathlib import Path

os.environ |= {"OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}  # a process with threads cannot be forked safely

SEEDS = Path(__file__).parent / "seeds"
LARGEST = 64 << 10
"""The most bytes of a file that is kept as a seed."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5, help="how long to go on (5)")
    parser.add_argument("--files", type=int, default=10**9, help="the most files")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="the same seed damages the same files")
    parser.add_argument("--first", type=int, default=0, help="number of the first file")
    parser.add_argument("--only", default="", help="only the kinds whose name contains this")
    parser.add_argument("--limit", type=float, default=30, help="seconds of computing for one file (30)")
    parser.add_argument("--seeds", action="store_true", help="first run tests/fuzz/seeds, by every command (alone: --files 0)")
    parser.add_argument("--whole", action="store_true", help="run every command on undamaged files instead")
    parser.add_argument("--keep", type=Path, default=SEEDS, help="folder for the files that show a fault")
    args = parser.parse_args()
    from . import corpus
    from .server import Finding, Run, Server

    counts: Counter[str] = Counter()
    found: list[Finding] = []
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="vfi-fuzz-") as folder:
        server = Server(Path(folder), args.limit)

        def judge(
            number: object, case: corpus.Case, damaged: str, command: tuple[str, ...], data: bytes, *, new: bool = False
        ) -> Run:
            run = server.run(case, damaged, command, data)
            counts["files"] += 1
            counts["accepted" if run.code == 0 else "refused" if run.code == 2 else "fell"] += 1
            for fault in run.faults:
                counts["faults"] += 1
                finding = Finding(case.name, damaged, command, fault, run.told, data)
                found.append(finding)
                kept = _keep(finding, args.keep) if new else ""
                sys.stdout.write(f"{number}: {case.name}: {fault}\n    vfi {' '.join(command)} {kept}\n")
                sys.stdout.write("".join(f"    | {line}\n" for line in run.told.splitlines()[-25:]))
                sys.stdout.flush()
            return run

        if args.seeds:
            for path in sorted(SEEDS.glob("*.bin")):
                name = path.name.rpartition("--")[0]
                (case, damaged) = next((c, d) for c in corpus.CASES for d in c.damaged if _label(c.name, d) == name)
                for command in case.commands:
                    judge(path.name, case, damaged, command, path.read_bytes())
        if args.whole:
            for case in corpus.CASES:
                if args.only in case.name:
                    for command in case.commands:
                        run = judge("whole", case, case.damaged[0], command, server.whole(case, case.damaged[0]))
                        if run.code != 0:
                            counts["faults"] += 1
                            sys.stdout.write(f"whole: {case.name}: refused\n    vfi {' '.join(command)}\n    | {run.told}\n")
        else:
            while counts["new"] < args.files and time.monotonic() - began < args.minutes * 60:
                number = args.first + counts["new"]
                judge(number, *server.drawn(args.seed, number, args.only), new=True)
                counts["new"] += 1
                if counts["new"] % 200 == 0:
                    sys.stdout.write(f"seed {args.seed}, {dict(counts)}\n")
                    sys.stdout.flush()
    sys.stdout.write(f"seed {args.seed}, {dict(counts)}, {time.monotonic() - began:.0f} s\n")
    return bool(counts["faults"])


def _label(case: str, damaged: str) -> str:
    return f"{case}--{damaged}".replace("/", "+").replace(" ", "_")


def _keep(finding: object, folder: Path) -> str:
    """Keep the file that shows a fault, if it is small; its name."""
    data = finding.data  # type: ignore[attr-defined]
    if len(data) > LARGEST:
        return ""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{_label(finding.case, finding.damaged)}--{sha256(data).hexdigest()[:8]}.bin"  # type: ignore[attr-defined]
    (folder / name).write_bytes(data)
    return name


if __name__ == "__main__":
    sys.exit(main())
