"""A lock that the operating system holds: one holder, and none after a death."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from data.errors import NotReady
from data.lock import file_lock
from data.settings import ROOT

HOLD_AND_DIE = """
import os, sys
from pathlib import Path
from data.lock import file_lock
with file_lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
    os._exit(1)
"""


def test_one_holder_at_a_time(tmp_path: Path) -> None:
    inside, most = [0], [0]

    def work() -> None:
        for _ in range(20):
            with file_lock(tmp_path / "lock"):
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                inside[0] -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]


def test_another_process_waits_and_whoever_dies_lets_go(tmp_path: Path) -> None:
    path = tmp_path / "new" / "lock"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD_AND_DIE, str(path)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(NotReady, match="another process has held"), file_lock(path, timeout_seconds=0):
        raise AssertionError("two holders")
    holder.stdin.close()
    holder.wait()
    holder.stdout.close()
    with file_lock(path, timeout_seconds=0):
        pass


def test_an_error_inside_lets_go(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="ours"), file_lock(tmp_path / "lock"):
        raise KeyError("ours")
    with file_lock(tmp_path / "lock", timeout_seconds=0):
        pass
