"""What a user waits for: the whole `crawlmill run` command on a few pages, the first time and every time after."""

import statistics
import subprocess
import sys
import tempfile
import time
from itertools import product
from pathlib import Path

import yaml

from benchmarks.inputs import ROOT, Inputs, recipe
from benchmarks.results import Table
from benchmarks.timing import ENVIRONMENT, all_cores

MODES = {"--workers 0": 0, "--workers 2 (Ray)": 2}
FIRST, LATER = "first run", "later run"
# Seconds between two looks at whether the first page is done.
TICK = 0.01


def run(inputs: Inputs) -> list[Table]:
    path = inputs.folder / "startup.yaml"
    path.write_text(yaml.safe_dump(recipe([inputs.first, inputs.warm_up]).model_dump()))
    taken: dict[str, list[tuple[float, float]]] = {}
    with all_cores():
        # So that the libraries' files are in memory for the first of the runs that count, as for the others.
        _run(path, 0, inputs.folder / "uncounted")
        for number, mode in product(range(inputs.repeats), MODES):
            kernels = inputs.folder / f"kernels-{number}-{MODES[mode]}"
            for state in (FIRST, LATER):
                taken.setdefault(f"{mode}, {state}", []).append(_run(path, MODES[mode], kernels))
    rows = {
        name: {
            "first page: s": statistics.median(first for first, _ in seconds),
            "command: s": statistics.median(whole for _, whole in seconds),
        }
        for name, seconds in taken.items()
    }
    note = (
        "`crawlmill run` to deduplicated documents, from its start to the first page read and measured, and to its "
        f"end. The first file has one page, the second {inputs.warm_up_pages}. Not pinned. A first run finds no "
        "compiled kernels (an empty NUMBA_CACHE_DIR), a later one those of the run before."
    )
    return [Table("Start-up", note, {"first page: s": ".2f", "command: s": ".2f"}, rows)]


def _run(path: Path, workers: int, kernels: Path) -> tuple[float, float]:
    """Seconds to the first page, and to the end."""
    out = Path(tempfile.mkdtemp(dir=path.parent))
    command = [sys.executable, "-m", "pipeline.cli", "run", str(path), "--workers", str(workers), "--out", str(out)]
    environment = {**ENVIRONMENT, "NUMBA_CACHE_DIR": str(kernels)}
    start = time.perf_counter()
    first = None
    with (
        (out / "said.log").open("w") as said,
        subprocess.Popen(command, cwd=ROOT, env=environment, stdout=said, stderr=said) as process,
    ):
        while process.poll() is None:
            if first is None and any(out.glob("steps/web.read-*/part-00000.json")):
                first = time.perf_counter() - start
            time.sleep(TICK)
        whole = time.perf_counter() - start
    if process.returncode:
        text = (out / "said.log").read_text()
        raise RuntimeError(f"{' '.join(command)} ended with code {process.returncode}:\n{text}")
    return whole if first is None else first, whole
