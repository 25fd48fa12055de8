import itertools
import json
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from corpus import storage
from pipeline import steps
from pipeline.cluster import Cluster, Needs
from pipeline.steps import Counts, Step, Task


def double(task: Task) -> Counts:
    storage.write_bytes(task.file(".txt"), str(2 * task.part).encode())
    return {"sum": 2 * task.part, "seen": [task.part], "by": {"even" if task.part % 2 == 0 else "odd": 1}}


def add_up(task: Task) -> Counts:
    names = storage.list_folder(task.inputs["double"])
    numbers = [int(storage.read_bytes(f"{task.inputs['double']}/{n}")) for n in names if n.endswith(".txt")]
    storage.write_bytes(task.file(".txt"), str(sum(numbers)).encode())
    return {"total": sum(numbers)}


def fail_on_two(task: Task) -> Counts:
    if task.part == 2 and not storage.exists(task.params["mended"]):
        raise ValueError("part two is broken")
    return double(task)


def kill_once(task: Task) -> Counts:
    """Dies as a worker does that the machine kills, the first time."""
    if task.part == 1 and not storage.exists(task.params["killed"]):
        storage.write_bytes(task.params["killed"], b"")
        os.kill(os.getpid(), signal.SIGKILL)
    return double(task)


def in_stages(task: Task) -> Counts:
    """Works on a clock of its own: every look at it is one second later."""
    for _ in range(task.part):
        with task.stage("look"):
            pass
    with task.stage("write"):
        return double(task)


def staged_then_fails(task: Task) -> Counts:
    with task.stage("double"):
        return fail_on_two(task)


def execute(root: Path, wanted: Sequence[Step], workers: int = 0) -> list[str]:
    ran = steps.stale(str(root), wanted)
    with Cluster(workers) as cluster:
        for step in ran:
            for _ in steps.execute(str(root), step, cluster):
                pass
    return [step.name for step in ran]


def chain(parts: Sequence[int], **params: Any) -> list[Step]:
    first = Step("double", double, params, parts=parts)
    return [first, Step("add_up", add_up, {}, {"double": first})]


def test_counts_are_summed_over_the_parts(tmp_path: Path) -> None:
    wanted = chain([1, 2, 3])
    assert execute(tmp_path, wanted) == ["double", "add_up"]
    assert steps.counts_of(str(tmp_path), wanted[0]) == {"sum": 12, "seen": [1, 2, 3], "by": {"even": 1, "odd": 2}}
    assert steps.counts_of(str(tmp_path), wanted[1]) == {"total": 12}
    assert execute(tmp_path, wanted) == []


def test_another_parameter_is_another_folder_and_the_old_one_stays(tmp_path: Path) -> None:
    execute(tmp_path, chain([1], bound=1))
    assert execute(tmp_path, chain([1], bound=2)) == ["double", "add_up"]
    assert execute(tmp_path, chain([1], bound=1)) == []


def test_stages_are_summed_in_the_timing_and_nowhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count()
    monkeypatch.setattr("pipeline.steps.time.perf_counter", lambda: float(next(clock)))
    step = Step("staged", in_stages, parts=[1, 2, 3])
    execute(tmp_path, [step])
    assert steps.timing_of(str(tmp_path), step)["stages"] == {"look": 6.0, "write": 3.0}
    folder = Path(steps.folder(str(tmp_path), step))
    assert json.loads((folder / "part-00001.json").read_text())["stages"] == {"look": 2.0, "write": 1.0}
    assert "look" not in (folder / "step.json").read_text(), "seconds differ from run to run, what is there must not"


def test_the_stages_of_a_finished_part_outlive_the_run_that_was_killed(tmp_path: Path) -> None:
    mended = str(tmp_path / "mended")
    step = Step("staged", staged_then_fails, {"mended": mended}, parts=[1, 2])
    with pytest.raises(ValueError, match="part two is broken"):
        execute(tmp_path, [step])
    folder = Path(steps.folder(str(tmp_path), step))
    before = json.loads((folder / "part-00000.json").read_text())["stages"]["double"]
    storage.write_bytes(mended, b"")
    execute(tmp_path, [step])
    after = json.loads((folder / "part-00001.json").read_text())["stages"]["double"]
    assert steps.timing_of(str(tmp_path), step)["stages"] == {"double": before + after}


def test_a_failed_part_leaves_no_step_and_the_finished_parts_stay(tmp_path: Path) -> None:
    mended = str(tmp_path / "mended")
    step = Step("double", fail_on_two, {"mended": mended}, parts=[1, 2, 3])
    with pytest.raises(ValueError, match="part two is broken"):
        execute(tmp_path, [step])
    folder = Path(steps.folder(str(tmp_path), step))
    assert not (folder / "step.json").exists()
    before = (folder / "part-00000.txt").stat().st_mtime_ns
    storage.write_bytes(mended, b"")
    assert execute(tmp_path, [step]) == ["double"]
    assert (folder / "part-00000.txt").stat().st_mtime_ns == before, "what was done is not done again"
    assert steps.counts_of(str(tmp_path), step)["sum"] == 12


def test_a_run_killed_after_invalidating_does_not_leave_users_looking_done(tmp_path: Path) -> None:
    wanted = chain([1, 2])
    execute(tmp_path, wanted)
    storage.remove_tree(steps.folder(str(tmp_path), wanted[0]))
    steps.stale(str(tmp_path), wanted)
    assert not steps.is_done(str(tmp_path), wanted[1])


def test_ray_gives_the_same_and_survives_a_killed_worker(tmp_path: Path) -> None:
    (tmp_path / "ray").mkdir()
    killed = Step("double", kill_once, {"killed": str(tmp_path / "ray/killed")}, parts=[1, 2, 3])
    broken = Step("broken", fail_on_two, {"mended": str(tmp_path / "never")}, parts=[1, 2])
    with Cluster(2) as cluster:
        for _ in steps.execute(str(tmp_path), killed, cluster):
            pass
        with pytest.raises(ValueError, match=r"^part two is broken$"):
            list(steps.execute(str(tmp_path), broken, cluster))
    assert (tmp_path / "ray/killed").exists()
    assert steps.counts_of(str(tmp_path), killed)["seen"] == [1, 2, 3]


def one(task: Task) -> Counts:
    """A step of one part: leaves a file, and says how far it is on the way."""
    task.report(0.5)
    if task.params["number"] == 2 and "mended" in task.params and not storage.exists(task.params["mended"]):
        raise ValueError("number two is broken")
    storage.write_bytes(task.file(".txt"), str(task.params["number"]).encode())
    return {"number": task.params["number"]}


@pytest.mark.parametrize("workers", [0, 2])
def test_steps_of_one_part_run_together_and_each_is_done_when_it_ends(tmp_path: Path, workers: int) -> None:
    wanted = [Step("one", one, {"number": number}) for number in range(5)]
    with Cluster(workers) as cluster:
        heard = [(done, shares) for done, shares in steps.together(str(tmp_path), wanted, cluster, Needs(cores=2))]
    assert heard[-1] == ({0, 1, 2, 3, 4}, {})
    assert all(before <= after for (before, _), (after, _) in itertools.pairwise(heard))
    assert [steps.counts_of(str(tmp_path), step) for step in wanted] == [{"number": n} for n in range(5)]
    assert steps.stale(str(tmp_path), wanted) == []


def test_what_ended_before_one_fails_is_done_and_is_not_run_again(tmp_path: Path) -> None:
    mended = tmp_path / "mended"
    wanted = [Step("one", one, {"number": number, "mended": str(mended)}) for number in range(4)]
    with Cluster(0) as cluster, pytest.raises(ValueError, match="number two is broken"):
        list(steps.together(str(tmp_path), wanted, cluster, Needs()))
    assert steps.stale(str(tmp_path), wanted) == wanted[2:]
    mended.touch()
    with Cluster(0) as cluster:
        list(steps.together(str(tmp_path), wanted[2:], cluster, Needs()))
    assert steps.stale(str(tmp_path), wanted) == []


def waiting(task: Task) -> Counts:
    """Says that it is half done, and goes on when it is told to."""
    task.report(0.5)
    while not storage.exists(task.params["told"]):
        time.sleep(0.05)
    return {}


def test_how_far_a_step_is_can_be_seen_while_it_is_under_way(tmp_path: Path) -> None:
    told = tmp_path / "told"
    with Cluster(1) as cluster:
        for done, shares in steps.together(
            str(tmp_path), [Step("waiting", waiting, {"told": str(told)})], cluster, Needs()
        ):
            if shares:
                assert (done, shares) == (frozenset(), {0: 0.5})
                told.touch()
    assert told.exists()
    assert done == {0}


def test_a_task_that_takes_more_than_there_is_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    with Cluster(2) as cluster:
        for needs, kind in ((Needs(cores=3), "3 CPUs and Ray's largest machine has 2"), (Needs(gpus=0.5), "0.5 GPUs")):
            with pytest.raises(ValueError, match=kind):
                list(steps.together(str(tmp_path), [Step("one", one, {"number": 0})], cluster, needs))
