"""TABLE of benchmarks. `python -m tests.bench` runs all of them; `python -m tests.bench NAME [ARGS ...]` runs one."""

import sys
from collections.abc import Callable, Sequence

from tests.bench import features, loop

BENCHES: dict[str, Callable[[Sequence[str]], None]] = {
    "loop": loop.main,
    "features": features.main,
}


def main(arguments: Sequence[str]) -> None:
    if not arguments:
        for run in BENCHES.values():
            run(())
        return
    name, *rest = arguments
    if name not in BENCHES:
        sys.exit(f"there is no benchmark {name!r}; there are {', '.join(BENCHES)}")
    BENCHES[name](rest)


if __name__ == "__main__":
    main(sys.argv[1:])
