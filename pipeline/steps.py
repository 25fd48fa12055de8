"""Steps: what is done once, kept under a name derived from everything it depends on, and skipped when it is there.

A step's folder is `steps/<name>-<hash of name, parameters, inputs and version>`. Each of its parts writes its files
whole and then `part-NNNNN.json`; `step.json` comes last, and its existence means done. So a killed run continues at
the part where it was, a changed parameter redoes what depends on it and nothing else, and the bytes in a folder do
not depend on how many workers filled it.
"""

import contextlib
import hashlib
import importlib.metadata
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from corpus import storage
from corpus.counts import merge
from pipeline.cluster import TICK, Cluster, Needs

VERSION = importlib.metadata.version("crawlmill")

# Where a part leaves word of how far it is; temporary as far as listings go.
SHARE = f".share{storage.TEMPORARY}"

Counts = dict[str, Any]


@dataclass(frozen=True)
class Task:
    """All that one part of a step is told: its folder, its number, its own value, parameters and input folders."""

    out: str
    number: int
    part: Any
    params: Mapping[str, Any]
    inputs: Mapping[str, str]
    stages: dict[str, float] = field(default_factory=dict)

    def file(self, suffix: str) -> str:
        """The path of this part's own file, for example part-00003.parquet."""
        return storage.join(self.out, f"part-{self.number:05d}{suffix}")

    def report(self, share: float) -> None:
        """Leave word of how much of this part is done, for whoever shows the run's progress."""
        # A remote store would be asked, and paid, for every word.
        path = storage.local_path(self.file(SHARE))
        if path and (not os.path.exists(path) or time.time() - os.path.getmtime(path) > TICK):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w") as file:
                file.write(f"{share:.4f}")

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the seconds that the block takes to the stage of that name; a stage within another would count twice."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.stages[name] = self.stages.get(name, 0.0) + time.perf_counter() - start


@dataclass(frozen=True)
class Step:
    """One step: `run` is called for every part and returns its counts.

    `parts` are JSON values, one call each, or a function that gives them once the inputs' folders are filled.
    `finish` is called once, after the parts and before step.json, with the folder and the parts' counts.
    """

    name: str
    run: Callable[[Task], Counts]
    params: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, "Step"] = field(default_factory=dict)
    parts: Sequence[Any] | Callable[[Mapping[str, str]], Sequence[Any]] = (None,)
    finish: Callable[[Task, Sequence[Counts]], None] | None = None

    @cached_property
    def key(self) -> str:
        known = {
            "name": self.name,
            "version": VERSION,
            "params": self.params,
            "parts": "by the inputs" if callable(self.parts) else self.parts,
            "inputs": {role: step.key for role, step in self.inputs.items()},
        }
        return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Progress:
    """How far a step is: parts done of all, the share of the work (parts under way included), its counts so far.

    It is the `number`-th of `of` steps that are to be run.
    """

    step: str
    done: int
    parts: int
    share: float
    counts: Counts
    seconds: float
    number: int = 1
    of: int = 1


def folder(root: str, step: Step) -> str:
    return storage.join(root, "steps", f"{step.name}-{step.key[:12]}")


def is_done(root: str, step: Step) -> bool:
    """Whether step.json is there, and every file it lists, in the size it had."""
    out = folder(root, step)
    if not storage.exists(storage.join(out, "step.json")):
        return False
    sizes = storage.list_folder(out)
    return all(sizes.get(name) == size for name, size in storage.read_json(f"{out}/step.json")["files"].items())


def counts_of(root: str, step: Step) -> Counts:
    """The counts of a step that is done."""
    counts: Counts = storage.read_json(storage.join(folder(root, step), "step.json"))["counts"]
    return counts


def timing_of(root: str, step: Step) -> dict[str, Any]:
    """`seconds` by the clock in the attempt that finished; `task_seconds` summed over the parts of all attempts, and
    `stages`, the same by name for what they timed.
    """
    timing: dict[str, Any] = storage.read_json(storage.join(folder(root, step), "timing.json"))
    return timing


def stale(root: str, steps: Sequence[Step]) -> list[Step]:
    """Of `steps`, inputs before their users, those to run: not done, or depending on one that is not.

    Their users' old output is removed at once, so that a run killed half-way cannot leave it looking done.
    """
    todo: list[Step] = []
    for step in steps:
        done = is_done(root, step)
        after_stale = any(s in todo for s in step.inputs.values())
        if not done or after_stale:
            todo.append(step)
        # A step without step.json was interrupted: the parts it finished stay. Everything else starts anew.
        if after_stale or (not done and storage.exists(storage.join(folder(root, step), "step.json"))):
            storage.remove_tree(folder(root, step))
    return todo


def _run_part(run: Callable[[Task], Counts], task: Task) -> dict[str, Any]:
    """In the worker: do one part and leave its marker, unless an earlier attempt did."""
    marker = task.file(".json")
    if storage.exists(marker):
        done: dict[str, Any] = storage.read_json(marker)
        return done
    start = time.perf_counter()
    counts = run(task)
    result = {"counts": counts, "seconds": time.perf_counter() - start, "stages": task.stages}
    storage.write_json(marker, result)
    return result


def _share_of(task: Task) -> float:
    """What a task that has not finished has reported of itself."""
    path = storage.local_path(task.file(SHARE))
    if path is None or not os.path.exists(path):
        return 0.0
    with open(path) as file:
        # The task may be writing it just now.
        return float(file.read() or 0)


def _under_way(tasks: Sequence[Task], results: Mapping[int, object]) -> float:
    """What tasks that have not finished have reported, in parts."""
    return sum(_share_of(task) for task in tasks if task.number not in results)


def execute(root: str, step: Step, cluster: Cluster) -> Iterator[Progress]:
    """Run one step whose inputs are done; yields after every part. When it ends, step.json is there."""
    start = time.perf_counter()
    tasks = _tasks(root, step)
    results: dict[int, dict[str, Any]] = {}
    so_far: Counts = {}
    yield Progress(step.name, 0, len(tasks), 0.0, so_far, 0.0)
    for finished in cluster.map(_run_part, [(step.run, task) for task in tasks]):
        if finished:
            results[finished[0]] = finished[1]
            so_far = merge(r["counts"] for r in results.values())
        share = (len(results) + _under_way(tasks, results)) / len(tasks)
        yield Progress(step.name, len(results), len(tasks), share, so_far, time.perf_counter() - start)
    _finish(root, step, [results[n] for n in range(len(tasks))], time.perf_counter() - start)


def together(
    root: str, steps: Sequence[Step], cluster: Cluster, needs: Needs
) -> Iterator[tuple[frozenset[int], dict[int, float]]]:
    """Run several steps of one part each whose inputs are done, as many at a time as there is room for.

    Yields now and then which of them are done, by their places, and how far those are that are under way. A step is
    done as soon as it ends, whatever becomes of the others.
    """
    start = time.perf_counter()
    tasks = [task for step in steps for task in _tasks(root, step)]
    assert len(tasks) == len(steps), [step.name for step in steps]
    done: set[int] = set()
    for finished in cluster.map(_run_part, [(s.run, task) for s, task in zip(steps, tasks, strict=True)], needs):
        if finished:
            place, result = finished
            _finish(root, steps[place], [result], time.perf_counter() - start)
            done.add(place)
        shares = {place: _share_of(task) for place, task in enumerate(tasks) if place not in done}
        yield frozenset(done), {place: share for place, share in shares.items() if share}


def _tasks(root: str, step: Step) -> list[Task]:
    out = folder(root, step)
    inputs = {role: folder(root, s) for role, s in step.inputs.items()}
    storage.remove_temporary(out)
    parts = step.parts(inputs) if callable(step.parts) else step.parts
    return [Task(out, n, part, step.params, inputs) for n, part in enumerate(parts)]


def _finish(root: str, step: Step, results: Sequence[Mapping[str, Any]], seconds: float) -> None:
    """What comes after the parts: the step's own end, its times, and step.json, which says done."""
    out = folder(root, step)
    counts = [result["counts"] for result in results]
    if step.finish:
        inputs = {role: folder(root, s) for role, s in step.inputs.items()}
        step.finish(Task(out, len(results), None, step.params, inputs), counts)
    timing = {
        "seconds": seconds,
        "task_seconds": sum(r["seconds"] for r in results),
        "stages": merge(r["stages"] for r in results),
    }
    storage.write_json(f"{out}/timing.json", timing)
    storage.remove_temporary(out)
    # Markers and timings carry seconds; what is listed is what must be there, byte for byte the same on every run.
    markers = {"timing.json", *(f"part-{n:05d}.json" for n in range(len(results)))}
    files = {name: size for name, size in storage.list_folder(out).items() if name not in markers}
    manifest = {
        "step": step.name,
        "key": step.key,
        "version": VERSION,
        "params": step.params,
        "inputs": {role: s.key for role, s in step.inputs.items()},
        "counts": merge(counts),
        "files": files,
    }
    storage.write_json(f"{out}/step.json", manifest)
