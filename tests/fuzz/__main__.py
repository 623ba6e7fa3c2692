"""`make fuzz`: a hundred thousand malformed, mutated and hostile requests. `make fuzz ARGS="--requests 5000 --seed 3"`"""

import argparse
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from scripts.terminal import progress_bar
from tests.fuzz.run import SHOWN, run


def main() -> int:
    parser = argparse.ArgumentParser(prog="make fuzz", description=(__doc__ or "").partition(": ")[2])
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
    wanted = parser.parse_args()
    console = Console(soft_wrap=True, highlight=False)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        with progress_bar(console, "Sending", wanted.requests) as step:
            found = run(wanted.requests, wanted.seed, Path(scratch), postgres=wanted.database == "postgres", step=step)
    answers = (f"{count:,} x {status or 'none'}" for status, count in sorted(found.statuses.items()))
    console.print(f"answers: {', '.join(answers)}")
    console.print(f"payloads taken {found.taken:,}, items set aside {found.rejected:,}; {found.seconds:.0f} s")
    memory = found.memory_mib
    at = {"at first": memory[0], "halfway": memory[len(memory) // 2], "in the end": memory[-1], "at most": max(memory)}
    console.print(f"memory, MiB: {', '.join(f'{size:.0f} {when}' for when, size in at.items())}")
    for name, lines in found.wrong.items():
        console.print(f"{name}: {len(lines):,}")
        for line in lines[:SHOWN]:
            console.print(f"  {line}", markup=False)
    console.print("Everything is as it must be." if not found.wrong else "NOT as it must be.")
    return 1 if found.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
