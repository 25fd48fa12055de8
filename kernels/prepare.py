"""Kernels compiled before work begins: once per machine and version, into files that every process reads.

numba keeps them beside the source, or where NUMBA_CACHE_DIR says, and compiles anew what another processor needs. One
run compiles at a time; others wait and then read what it left.
"""

import fcntl
import hashlib
import multiprocessing
import os
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import llvmlite.binding
import numba

from kernels import hashing

MESSAGE = "Compiling kernels for this machine: some seconds, once per version."
WAITING = "Waiting for another process that compiles kernels for this machine."


# What calls the kernels that are to be compiled: a function of a module, and its arguments.
Work = tuple[Callable[..., object], tuple[Any, ...]]
PROCESSES = 2


def prepare(works: Mapping[str, Work], say: Callable[[str], None]) -> None:
    """Do the works whose names were not prepared before: together they call every kernel that is going to be needed.

    Equal names must stand for the same kernels. numba compiles one at a time in a process, hence several.
    """
    probe: Any = hashing.table_bits
    folder = Path(probe.stats.cache_path)
    os.makedirs(folder, exist_ok=True)
    with open(folder / ".compiling", "a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(WAITING)
            fcntl.flock(lock, fcntl.LOCK_EX)
        lock.seek(0)
        version, *there = lock.read().split("\n")
        if version != _version():
            # numba looks at a kernel's own file only, not at those of what it calls.
            for stale in (*folder.glob("*.nbi"), *folder.glob("*.nbc")):
                stale.unlink()
            there = []
        missing = [work for name, work in works.items() if name not in there]
        if not missing:
            return
        say(MESSAGE)
        with ProcessPoolExecutor(min(PROCESSES, len(missing)), multiprocessing.get_context("spawn")) as pool:
            for done in [pool.submit(function, *args) for function, args in missing]:
                done.result()
        lock.seek(0)
        lock.truncate()
        lock.write("\n".join([_version(), *sorted({*works, *there})]))


@cache
def _version() -> str:
    """What compiled kernels depend on."""
    processor = llvmlite.binding.get_host_cpu_name()
    digest = hashlib.sha256(f"{sys.version} {numba.__version__} {processor}".encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
