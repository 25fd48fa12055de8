"""Checkpoints: all that a run needs to go on as if it had never stopped.

    step-00000500/   model.safetensors   optimizer.safetensors   state.json

What goes in: a loop and what else the run has to remember. What comes out: a folder, under its name only when it is
whole: it is filled under a temporary one, brought to the disk, and renamed. What stays true: a checkpoint that cannot
be written leaves those before it as they were; one whose files are not what `state.json` says is refused.
"""

import hashlib
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from corpus import storage
from trainer.gpt import GPT
from trainer.loop import Loop

MODEL, OPTIMIZER, STATE = "model.safetensors", "optimizer.safetensors", "state.json"
_REMEDY = "Name one such as RUN/checkpoints/step-N; a damaged one may be removed: the run goes on from the one before"


class CheckpointError(ValueError):
    """A checkpoint could not be written, or is not as it was written."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A whole one: its folder and `state.json`."""

    folder: Path
    state: dict[str, Any]

    @property
    def step(self) -> int:
        return int(self.state["step"])

    @property
    def is_regular(self) -> bool:
        """Whether its step is one of those that have a checkpoint whatever happens."""
        return bool(self.state["regular"])


def at(folder: str | Path) -> Checkpoint:
    """The checkpoint in this folder. Raises `CheckpointError` where there is none, or a damaged one."""
    path = Path(folder) / STATE
    if not path.is_file():
        raise CheckpointError(f"{folder} is no checkpoint: it has no {STATE}. {_REMEDY}")
    try:
        return Checkpoint(Path(folder), storage.read_json(str(path)))
    except ValueError as error:
        raise CheckpointError(f"{path} is damaged: {error}. {_REMEDY}") from error


def every(folder: Path) -> list[Checkpoint]:
    """All whole checkpoints of a run, oldest first."""
    found = [at(path) for path in folder.glob("step-*") if re.fullmatch(r"step-\d+", path.name)]
    return sorted(found, key=lambda checkpoint: checkpoint.step)


def save(folder: Path, loop: Loop, remembered: dict[str, Any], *, regular: bool) -> Checkpoint:
    """Write one of the loop as it is. Raises `CheckpointError`, and leaves no file, where the disk does not take it."""
    final = folder / f"step-{loop.step:08d}"
    temporary = folder / f"{final.name}{storage.TEMPORARY}{os.getpid()}"
    try:
        temporary.mkdir(parents=True)
        save_file(weights(loop.model), temporary / MODEL)
        save_file(_moments(loop), temporary / OPTIMIZER)
        state = {
            **remembered,
            "step": loop.step,
            "tokens": loop.tokens,
            "position": loop.position,
            "regular": regular,
            "sha256": {name: _sha256(temporary / name) for name in (MODEL, OPTIMIZER)},
        }
        storage.write_json(str(temporary / STATE), state)
        for path in (*temporary.iterdir(), temporary):
            _to_disk(path)
        temporary.rename(final)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(temporary, ignore_errors=True)
        left = every(folder)
        kept = f"{left[-1].folder} is untouched" if left else "there is none before it"
        raise CheckpointError(
            f"{final} could not be written: {error}. {kept}; make room, and the same command continues from there"
        ) from error
    return Checkpoint(final, state)


def prune(folder: Path, keep: int, best: int | None) -> None:
    """Remove all but the last `keep` regular ones, the newest, and that of step `best`."""
    there = every(folder)
    regular = [checkpoint.step for checkpoint in there if checkpoint.is_regular]
    stay = {best, there[-1].step, *regular[-keep:]}
    for checkpoint in there:
        if checkpoint.step not in stay:
            _remove(checkpoint)


def forget(folder: Path, after: int) -> None:
    """Remove those of later steps, which a run that has gone back will take anew."""
    for checkpoint in every(folder):
        if checkpoint.step > after:
            _remove(checkpoint)


def restore(checkpoint: Checkpoint, loop: Loop) -> None:
    """Put the loop where the checkpoint is."""
    load_weights(checkpoint, loop.model)
    moments = load_file(_checked(checkpoint, OPTIMIZER))
    for name, weight in loop.model.named_parameters():
        own = {key: moments.get(f"{name}.{key}") for key in ("step", "exp_avg", "exp_avg_sq")}
        loop.optimizer.state[weight] = {k: v.to(weight.device) for k, v in own.items() if v is not None}
    loop.step, loop.tokens = checkpoint.step, int(checkpoint.state["tokens"])
    loop.position = int(checkpoint.state["position"])


def load_weights(checkpoint: Checkpoint, model: GPT) -> None:
    """Raises `CheckpointError` for weights of another model."""
    tensors = load_file(_checked(checkpoint, MODEL))
    if model.config.tied and "head.weight" not in tensors:
        tensors["head.weight"] = tensors["embedding.weight"]
    elif model.config.tied:
        raise CheckpointError(f"{checkpoint.folder} has an output layer of its own, and this model's is its embedding")
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        raise CheckpointError(f"{checkpoint.folder} is of another model: {error}") from error


def weights(model: GPT) -> dict[str, Tensor]:
    """All weights by name, a tied one once."""
    tensors: dict[str, Tensor] = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    if model.config.tied:
        del tensors["head.weight"]
    return tensors


def _remove(checkpoint: Checkpoint) -> None:
    # A name of no checkpoint first: one that is half removed must not look whole.
    gone = checkpoint.folder.with_name(f"{checkpoint.folder.name}{storage.TEMPORARY}{os.getpid()}")
    checkpoint.folder.rename(gone)
    shutil.rmtree(gone)


def _moments(loop: Loop) -> dict[str, Tensor]:
    return {
        f"{name}.{key}": value.contiguous()
        for name, weight in loop.model.named_parameters()
        for key, value in loop.optimizer.state.get(weight, {}).items()
    }


def _checked(checkpoint: Checkpoint, name: str) -> Path:
    path = checkpoint.folder / name
    wanted = checkpoint.state["sha256"][name]
    if not path.is_file() or (got := _sha256(path)) != wanted:
        found = f"has sha256 {got}" if path.is_file() else "is missing"
        raise CheckpointError(f"{path} {found}; {STATE} wants {wanted}. {_REMEDY}")
    return path


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _to_disk(path: Path) -> None:
    """A file's bytes, or a folder's names, past the system's memory."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
