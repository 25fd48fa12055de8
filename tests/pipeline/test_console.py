"""What a person sees while a run goes on."""

import io
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from corpus import storage
from pipeline.cluster import Cluster
from pipeline.console import StepLines
from pipeline.run import run_steps
from pipeline.steps import Counts, Progress, Step, Task


def count(task: Task) -> Counts:
    storage.write_bytes(task.file(".txt"), b"")
    return {"judged": 1000}


STEPS = [Step("first", count), Step("second", count, parts=(1, 2))]


class WithDashboard(Cluster):
    """As one that is connected to a cluster that has one."""

    @property
    def dashboard(self) -> str | None:
        return "http://127.0.0.1:8265"


def test_the_place_among_the_steps_that_are_to_be_run_is_told(tmp_path: Path) -> None:
    seen: list[Progress] = []
    with Cluster(0) as cluster:
        assert run_steps(str(tmp_path), STEPS, cluster, seen.append, print) == STEPS
        assert [(progress.number, progress.of) for progress in seen if progress.done == progress.parts] == [
            (1, 2),
            (2, 2),
        ]
        seen.clear()
        (step_file,) = tmp_path.glob("steps/second-*/step.json")
        step_file.unlink()
        run_steps(str(tmp_path), STEPS, cluster, seen.append, print)
    assert {(progress.step, progress.number, progress.of) for progress in seen} == {("second", 1, 1)}


def test_the_running_step_has_a_bar_and_a_finished_one_its_line() -> None:
    output = io.StringIO()
    console = Console(file=output, force_terminal=True, width=120, color_system=None)

    def shown() -> Iterator[str]:
        with StepLines(console) as show:
            show(Progress("web.read", 1, 4, 0.25, {"read": 1200}, 2.0, 3, 22))
            show.live.refresh()
            yield output.getvalue()
            show(Progress("web.read", 4, 4, 1.0, {"read": 4800}, 8.0, 3, 22))
            show.live.refresh()
            yield output.getvalue()[len(during) :]

    frames = shown()
    during = next(frames)
    assert "step 3 of 22" in during
    assert "1/4 parts  1,200 documents  600/s  6.0 s left" in during
    assert "4/4 parts  4,800 documents  600/s  8.0 s" in next(frames)


def test_rays_dashboard_is_linked_once_where_there_is_one(tmp_path: Path) -> None:
    said: list[str] = []
    with WithDashboard(0) as cluster:
        run_steps(str(tmp_path / "with"), STEPS, cluster, lambda _: None, said.append)
    assert said == ["Ray's dashboard: http://127.0.0.1:8265"]
    said.clear()
    with Cluster(0) as cluster:
        run_steps(str(tmp_path / "without"), STEPS, cluster, lambda _: None, said.append)
    assert said == []
