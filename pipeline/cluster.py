"""Where tasks run: in this process, or as Ray Core tasks. The only file that imports ray.

What goes in: a function and the arguments of each call. What comes out: each call's index and result, as they finish,
and None now and then while there is nothing to tell, so that whoever waits can look after something else.
What stays true: a task reads files and writes files that appear whole, and keeps no state, so that one whose worker
died is simply run again; results do not depend on where or in which order tasks ran.
"""

import importlib
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PACKAGES = ("corpus", "kernels", "sources", "filters", "dedup", "mixtures", "trainer", "pipeline")


Finished = tuple[int, Any]


@dataclass(frozen=True)
class Needs:
    """What one task takes of the machine; with a quarter of a GPU, four tasks share one."""

    cores: int = 1
    gpus: float = 0.0


ONE_CORE = Needs()
# Seconds between two looks at whether a task has finished.
TICK = 0.5


def _call_from(folder: str, function: Callable[..., Any], *args: Any) -> Any:
    """In the worker: call the function where the command was started, which is what relative paths are relative to.

    A machine without that folder can only have been given paths that do not need it.
    """
    if os.path.isdir(folder):
        os.chdir(folder)
    return function(*args)


class Cluster:
    """Runs tasks on `workers` processes: 0 means in this one, `address` means on a running Ray cluster.

    Ray is started by `start` or the first task and not before: a run with nothing to do takes no time.
    """

    def __init__(self, workers: int, address: str | None = None) -> None:
        self.workers = workers
        self.address = address
        # Ray takes seconds to start, in which this process has other things to do.
        self._starter = ThreadPoolExecutor(1)
        self._ray: Future[Any] | None = None
        self._dashboard: str | None = None

    def __enter__(self) -> "Cluster":
        return self

    def __exit__(self, *_: object) -> None:
        if self._ray is not None:
            self._ray.result().shutdown()
            self._ray = None
        self._starter.shutdown()

    @property
    def is_here(self) -> bool:
        """Whether tasks run in this process."""
        return self.workers == 0 and self.address is None

    @property
    def dashboard(self) -> str | None:
        """The address of Ray's dashboard, once this is connected to a cluster that has one."""
        return self._dashboard

    def start(self) -> None:
        """Have Ray start, without waiting for it."""
        if not self.is_here and self._ray is None:
            self._ray = self._starter.submit(self._connect)

    def map(
        self, function: Callable[..., Any], calls: Sequence[tuple[Any, ...]], needs: Needs = ONE_CORE
    ) -> Iterator[Finished | None]:
        """Call `function(*args)` for each of `calls`; yields (index, result) in the order they finish, or None."""
        if self.is_here:
            yield from ((n, function(*args)) for n, args in enumerate(calls))
        else:
            yield from self._map_on_ray(function, calls, needs)

    def _map_on_ray(
        self, function: Callable[..., Any], calls: Sequence[tuple[Any, ...]], needs: Needs
    ) -> Iterator[Finished | None]:
        self.start()
        assert self._ray
        ray = self._ray.result()
        for kind, wanted in (("CPU", needs.cores), ("GPU", needs.gpus)):
            largest = max(node["Resources"].get(kind, 0) for node in ray.nodes() if node["Alive"])
            # Ray would wait for them for ever.
            if wanted > largest:
                raise ValueError(
                    f"a task takes {wanted:g} {kind}s and Ray's largest machine has {largest:g}: lower what it takes, "
                    "or give more by --workers or --address"
                )
        # A worker killed for memory or by the machine is no fault of the task's: try again, elsewhere if need be.
        options = {"max_retries": 3, "num_cpus": needs.cores, "num_gpus": needs.gpus}
        remote = ray.remote(_call_from).options(**options)
        waiting = list(enumerate(calls))[::-1]
        running: dict[Any, int] = {}
        # Twice the cores: the next task's arguments are there when a worker falls free.
        width = 2 * max(1, int(ray.cluster_resources().get("CPU", 1)))
        while waiting or running:
            while waiting and len(running) < width:
                index, args = waiting.pop()
                running[remote.remote(os.getcwd(), function, *args)] = index
            finished, _ = ray.wait(list(running), num_returns=1, timeout=TICK)
            if not finished:
                yield None
            for done in finished:
                try:
                    yield running.pop(done), ray.get(done)
                except ray.exceptions.RayTaskError as error:
                    # What a user can mend is said in its own words; a bug needs the worker's traceback.
                    mendable = isinstance(error.cause, ValueError | OSError)
                    raise (error.cause if mendable else error.as_instanceof_cause()) from None

    def _connect(self) -> Any:
        # Ray asks for this choice to be made; without it every start prints a warning.
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        # Nothing leaves this machine that the user has not asked for.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        import ray

        options: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
        if self.address is None:
            # Said, because Ray would join whatever cluster it finds on this machine.
            options |= {"address": "local", "num_cpus": self.workers, "include_dashboard": False}
        else:
            modules = [str(Path(str(importlib.import_module(name).__file__)).parent) for name in PACKAGES]
            options |= {"address": self.address, "runtime_env": {"py_modules": modules}}
        url = ray.init(**options).dashboard_url
        self._dashboard = f"http://{url}" if url else None
        return ray
