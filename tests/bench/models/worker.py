"""Runs one peer on the parts of a task, in the peer's own environment: `python -m tests.bench.models.worker FOLDER`.

Reads `task.json` and per part two Parquet files, writes `probabilities.parquet` and `measured.json` beside them.
"""

import importlib
import json
import os
import resource
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

from tests.bench.models.job import Job

KILOBYTES_PER_MEGABYTE = 1024


def main(folder: Path) -> None:
    task = json.loads((folder / "task.json").read_text())
    predict = importlib.import_module(task["module"]).predict
    found, seconds = [], []
    began, before, busy = time.perf_counter(), cpu_seconds(), busy_seconds()
    for part in range(task["parts"]):
        job = Job(train=folder / f"train-{part}.parquet", test=folder / f"test-{part}.parquet", **task["job"])
        started = time.perf_counter()
        probabilities = np.asarray(predict(job), dtype=np.float64)
        seconds.append(time.perf_counter() - started)
        found.append(pd.DataFrame({"part": part, "probability": probabilities}))
    pd.concat(found, ignore_index=True).to_parquet(folder / "probabilities.parquet")
    own, machine = cpu_seconds() - before, (time.perf_counter() - began) * (os.cpu_count() or 1)
    others = max(0.0, busy_seconds() - busy - own) / machine
    measured = {"seconds": seconds, "cpu_seconds": own, "others_share": others, "peak_megabytes": peak_megabytes()}
    (folder / "measured.json").write_text(json.dumps(measured))


def cpu_seconds() -> float:
    """Processor time of this process and of those that it waited for."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)


def busy_seconds() -> float:
    """Processor time of everything on this machine since it started; 0 where that is not told (only Linux tells)."""
    try:
        user, nice, system, _idle, _waiting, *rest = map(int, Path("/proc/stat").read_text().splitlines()[0].split()[1:])
    except OSError:
        return 0.0
    interrupts_and_stolen = sum(rest[:3])  # what follows them is counted in user already
    return (user + nice + system + interrupts_and_stolen) / os.sysconf("SC_CLK_TCK")


def peak_megabytes() -> float:
    """The most memory that this process, or one that it waited for, ever held.

    From Linux's own high-water mark where there is one: `ru_maxrss` starts at what the parent process held.
    """
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        own = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return max(own, children) / KILOBYTES_PER_MEGABYTE


if __name__ == "__main__":
    main(Path(sys.argv[1]))
