"""Two workers against one, beside two bare processes against one: the same read step on the same files.

The bare processes show what the machine allows: two busy cores share its memory and its clock.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from typing import IO, Any, cast

import click

from benchmarks.inputs import ROOT, Inputs, recipe
from benchmarks.results import SPREAD, Table
from benchmarks.timing import all_cores
from pipeline import read
from pipeline.cluster import Cluster
from pipeline.graph import steps_of
from pipeline.steps import Step, Task, execute

# Seconds that one process works, in parts enough for two workers to end together.
WORK, PARTS = 10.0, 16
# So many parts that each worker gets one of them to warm up on.
WARM_UP_PARTS = 6

# Seconds of the step by itself, everything warm; and with starting and stopping what it runs on.
Seconds = tuple[float, float]


def run(inputs: Inputs) -> list[Table]:
    if (os.cpu_count() or 1) < 2:
        raise click.UsageError("workers: two workers need two cores; name the other parts by --part")
    with all_cores():
        step, warm_up, copies = _work(inputs)
        sides: dict[str, Callable[[int, Step, Step, Path], Seconds]] = {
            "bare processes": bare_processes,
            "crawlmill --workers": ray_workers,
        }
        taken: dict[str, dict[int, list[Seconds]]] = {name: {1: [], 2: []} for name in sides}
        for _, count, name in product(range(inputs.repeats), (1, 2), sides):
            out = inputs.folder / "workers"
            taken[name][count].append(sides[name](count, step, warm_up, out))
            shutil.rmtree(out)
    columns = {"pages": ",d"}
    rows: dict[str, dict[str, float]] = {}
    for name, by_count in taken.items():
        steps = [[step for step, _ in seconds] for seconds in by_count.values()]
        spread = max(max(seconds) / min(seconds) for seconds in steps)
        rows[name] = {"pages": inputs.sample_pages * copies * PARTS, "slowest/fastest": spread}
        for place, what in enumerate(("step", "whole")):
            one, two = (statistics.median(seconds[place] for seconds in by_count[count]) for count in (1, 2))
            rows[name] |= {f"{what}, one: s": one, f"{what}, two: s": two, f"{what}: ratio": one / two}
            columns |= {f"{what}, one: s": ".1f", f"{what}, two: s": ".1f", f"{what}: ratio": ".2f"}
    note = (
        f"The read step on {PARTS} files, not pinned. A bare process calls the step's function on its half; the step "
        "by itself is timed when all processes have done a few small parts, the whole has their start and end in it. "
        "Whatever else the machine does shows here first: look at slowest/fastest."
    )
    columns |= SPREAD
    return [Table("Two workers against one", note, columns, rows)]


def _work(inputs: Inputs) -> tuple[Step, Step, int]:
    """The step, one to warm up with, and how many times the sample is in each of its files."""
    warm_up = _read_step(inputs, "warm", WARM_UP_PARTS, inputs.warm_up, 1)
    out, part = str(inputs.folder / "estimate"), _read_step(inputs, "one", 1, inputs.sample, 1)
    _read(warm_up, out)
    start = time.perf_counter()
    _read(part, out)
    copies = max(1, round(WORK / PARTS / (time.perf_counter() - start)))
    return _read_step(inputs, "work", PARTS, inputs.sample, copies), warm_up, copies


def _read(step: Step, out: str) -> None:
    assert not callable(step.parts)
    for number, part in enumerate(step.parts):
        read.run(Task(out, number, part, step.params, {}))


def _read_step(inputs: Inputs, name: str, parts: int, file: str, copies: int) -> Step:
    """The read step over `parts` files, each of which is `file` `copies` times."""
    source = inputs.folder / f"{name}.warc.gz"
    source.write_bytes(Path(file).read_bytes() * copies)
    links = [inputs.folder / f"{name}-{number:02d}.warc.gz" for number in range(parts)]
    for link in links:
        link.symlink_to(source)
    return steps_of(recipe([str(link) for link in links]))[0]


def ray_workers(count: int, step: Step, warm_up: Step, out: Path) -> Seconds:
    start = time.perf_counter()
    with Cluster(count) as cluster:
        for _ in execute(str(out), warm_up, cluster):
            pass
        warm = time.perf_counter()
        for _ in execute(str(out), step, cluster):
            pass
        end = time.perf_counter()
    return end - warm, time.perf_counter() - start


def bare_processes(count: int, step: Step, warm_up: Step, out: Path) -> Seconds:
    command = [sys.executable, "-m", "benchmarks.bare"]
    start = time.perf_counter()
    processes = [
        subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(count)
    ]
    works = [
        {
            "out": str(out),
            "params": step.params,
            "warm_up": _share(warm_up, n, count),
            "parts": _share(step, n, count),
        }
        for n in range(count)
    ]
    _tell(processes, [json.dumps(work) for work in works])
    warm = time.perf_counter()
    _tell(processes, ["start"] * count)
    end = time.perf_counter()
    for process in processes:
        process.communicate()
    return end - warm, time.perf_counter() - start


def _share(step: Step, n: int, count: int) -> list[tuple[int, Any]]:
    assert not callable(step.parts)
    return list(enumerate(step.parts))[n::count]


def _tell(processes: Sequence[subprocess.Popen[str]], lines: Sequence[str]) -> None:
    """Send each process its line and wait until all have answered."""
    for process, line in zip(processes, lines, strict=True):
        print(line, file=cast(IO[str], process.stdin), flush=True)
    for process in processes:
        if not cast(IO[str], process.stdout).readline():
            raise RuntimeError(f"a bare process ended with code {process.wait()}; what it said is above")
