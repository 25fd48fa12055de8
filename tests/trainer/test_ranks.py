"""Several processes that train one model, started by torchrun, against one alone."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from trainer import checkpoints
from trainer.config import Checkpoints, Model, Run, Validation
from trainer.log import TRAIN, VALIDATION, rows
from trainer.train import train
from trainer.world import World

ROOT = Path(__file__).parents[2]
CPU = World(0, 1, torch.device("cpu"))
CONFIG = Run(
    model=Model(layers=1, width=16, context=16),
    steps=8,
    batch=4,
    micro_batch=2,
    checkpoints=Checkpoints(every=3),
    validation=Validation(every=4),
)

PROGRAM = """
import sys
from trainer.config import Run
from trainer.train import train
from trainer.world import joined

with joined() as world:
    config = Run.model_validate_json(sys.argv[3])

    def show(progress):
        if progress.step == int(sys.argv[4]):
            sys.exit(9)

    # Where there is no folder that all share, each has its own.
    out = sys.argv[2].replace("RANK", str(world.rank))
    train(sys.argv[1], out, config, 0, world, show=show)
"""


def together(
    tokens: str, out: Path, ranks: int, config: Run, until: int = -1, fails: bool = False
) -> subprocess.CompletedProcess[str]:
    """Train with so many processes; they are gone after step `until`."""
    program = out.parent / f"{out.name}.py"
    program.write_text(PROGRAM)
    launch = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={ranks}"]
    command = [sys.executable, *launch, str(program), tokens, str(out), config.model_dump_json(), str(until)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode != 0) == (fails or until >= 0), done.stderr
    return done


def last(out: Path) -> dict[str, bytes]:
    folder = checkpoints.every(out / "checkpoints")[-1].folder
    return {name: (folder / name).read_bytes() for name in ("model.safetensors", "optimizer.safetensors")}


def losses(out: Path) -> np.ndarray:
    return np.array([row["loss"] for row in rows(out / TRAIN)])


@pytest.fixture(scope="module")
def alone(tokens: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("alone")
    train(tokens, str(out), CONFIG, 0, CPU)
    return out


def test_two_processes_do_what_one_does_to_the_last_bit(tokens: str, alone: Path, tmp_path: Path) -> None:
    """Two micro-batches: one process adds up their gradients, or two do, and a sum of two has one order."""
    together(tokens, tmp_path / "two", 2, CONFIG)
    assert losses(tmp_path / "two").tolist() == losses(alone).tolist()
    assert last(tmp_path / "two") == last(alone)
    ours, theirs = (rows(out / VALIDATION)[-1]["overall"]["nats_per_token"] for out in (tmp_path / "two", alone))
    assert ours == pytest.approx(theirs, rel=1e-12)


def test_a_run_goes_on_with_another_number_of_processes_to_the_same_bits(
    tokens: str, alone: Path, tmp_path: Path
) -> None:
    together(tokens, tmp_path / "run", 2, CONFIG, until=5)
    assert checkpoints.every(tmp_path / "run/checkpoints")[-1].step == 4
    train(tokens, str(tmp_path / "run"), CONFIG, 0, CPU)
    assert last(tmp_path / "run") == last(alone)
    assert losses(tmp_path / "run").tolist() == losses(alone).tolist()


def test_four_processes_differ_from_one_in_the_order_of_sums_alone(tokens: str, alone: Path, tmp_path: Path) -> None:
    together(tokens, tmp_path / "four", 4, CONFIG.model_copy(update={"micro_batch": None}))
    np.testing.assert_allclose(losses(tmp_path / "four"), losses(alone), rtol=1e-5)
    assert checkpoints.every(tmp_path / "four/checkpoints")[-1].state["position"] == 8


def test_processes_that_see_other_checkpoints_do_not_train_on(tokens: str, alone: Path, tmp_path: Path) -> None:
    shutil.copytree(alone, tmp_path / "run-0")
    last = checkpoints.every(tmp_path / "run-0/checkpoints")[-1]
    shutil.rmtree(last.folder)
    done = together(tokens, tmp_path / "run-RANK", 2, CONFIG, fails=True)
    assert "it has to be one folder that all share" in done.stderr
    assert not (tmp_path / "run-1").exists()
