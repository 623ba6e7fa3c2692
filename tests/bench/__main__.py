"""`python -m tests.bench [NAME] [OPTIONS]`: the table of benches. Absolute times depend on the machine; compare ratios."""

import sys
from collections.abc import Callable, Sequence

from tests.bench import batch, drain, features, intake, loop, memory, swap, training
from tests.bench.models import noise, run, rungs

# Name -> what runs it; it takes its own options and returns the exit status. The first one is run where none is named.
BENCHES: dict[str, Callable[[Sequence[str]], int]] = {
    "loop": loop.main,
    "intake": intake.main,
    "drain": drain.main,
    "swap": swap.main,
    "training": training.main,
    "features": features.main,
    "batch": batch.main,
    "memory": memory.main,
    "models": run.main,
    "rungs": rungs.main,
    "noise": noise.main,
}


def main() -> int:
    name, *options = sys.argv[1:] or [next(iter(BENCHES))]
    if name not in BENCHES:
        print(f"no bench {name!r}; the benches are {', '.join(BENCHES)}", file=sys.stderr)
        return 2
    return BENCHES[name](options)


if __name__ == "__main__":
    sys.exit(main())
