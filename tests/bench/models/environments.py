"""Python environments of the peers' own, one per lock file, made when first asked for.

They are kept in the user's cache, under the digest of the lock file and Python's version: a second checkout finds
them there.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from data.errors import NotReady

INSTALLED = ".installed"


def python_of(lock: Path | None, say: Callable[[str], None] = print) -> Path:
    """The interpreter that has exactly what the lock file pins; this one where there is no lock file.

    Raises:
        NotReady: pip failed; its last lines are in the message.
    """
    if lock is None:
        return Path(sys.executable)
    folder = folder_of(lock)
    if not (folder / INSTALLED).is_file():
        say(f"Installing {lock.name} (some minutes, once for all checkouts) ...")
        _install(lock, folder)
    return folder / "bin" / "python"


def folder_of(lock: Path) -> Path:
    digest = hashlib.sha256(lock.read_bytes() + sys.version.encode()).hexdigest()[:12]
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "leadloop" / f"{lock.stem.replace('requirements', 'peer')}-{digest}"


def _install(lock: Path, folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".installing-"))
    try:
        _run([sys.executable, "-m", "venv", str(scratch)], lock)
        pip = [str(scratch / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _run([*pip, "--require-hashes", "-r", str(lock)], lock)
        (scratch / INSTALLED).touch()
        shutil.rmtree(folder, ignore_errors=True)
        scratch.rename(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _run(command: list[str], lock: Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotReady(f"could not install {lock.name}: {' | '.join(done.stderr.strip().splitlines()[-3:])}")
