"""A training run that can be stopped at any moment, and leaves weights, losses and what else is known of it.

What goes in: a folder of token shards, a configuration and a seed. What comes out, in the run's folder: `run.json`
(what it was told), the tokenizer, `checkpoints/`, `train.jsonl`, `validation.jsonl`, `loss.png` and, at the end,
`result.json`. What stays true: a run that was killed, or asked to stop, and started again gives the same weights, bit
for bit, as one that was left alone; with another number of processes it goes on at the same place in the same order.
"""

import contextlib
import hashlib
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from corpus import storage
from corpus.strict import RecipeError
from mixtures.token_shards import MANIFEST, TokenShards
from trainer import checkpoints, plot
from trainer.batches import Batches
from trainer.checkpoints import Checkpoint
from trainer.config import FREE, Run
from trainer.log import Log
from trainer.loop import Loop
from trainer.reproducible import reproducible
from trainer.run import CHECKPOINTS, Progress, TrainingRun
from trainer.world import World

TOLD, RESULT = "run.json", "result.json"


def train(
    data: str,
    out: str,
    config: Run,
    seed: int,
    world: World,
    *,
    start: str | None = None,
    show: Callable[[Progress], None] = lambda _: None,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Train on the shards in `data`, or go on where the run in `out` is; returns what result.json holds.

    `start` is a checkpoint of another run to begin with: its weights, its moments and its step, and its place in the
    data if batches are the same. Raises `RecipeError` for a run of another configuration in `out` and for data or a
    `start` that do not fit; `DivergedError` where the guard does not help; `CheckpointError`; and `Terminated`.
    """
    folder = Path(out)
    shards = TokenShards.open(data)
    told = _told(shards, config, seed, start)
    with reproducible(seed), _asked_to_stop() as asked:
        loop = _loop(shards, config, seed, world)
        begun = _begin(folder, shards, told, world)
        run = TrainingRun(folder, shards, loop, told, config, show, say)
        if begun is not None:
            run.go_on_from(begun, _same_place(begun.state, told))
        if loop.step == config.steps and (folder / RESULT).exists():
            say("nothing to do: all steps were done before")
        else:
            if world.is_first:
                # It is of an earlier end, of which the last checkpoint is gone.
                (folder / RESULT).unlink(missing_ok=True)
            with Log(folder, loop.step, config.tensorboard) if world.is_first else contextlib.nullcontext() as log:
                run.steps(log, asked)
            if world.is_first:
                found = run.result()
                plot.draw(folder)
                storage.write_json(str(folder / RESULT), found)
        # Nobody reads before it is written.
        world.wait()
        result: dict[str, Any] = storage.read_json(str(folder / RESULT))
        return result


def _loop(shards: TokenShards, config: Run, seed: int, world: World) -> Loop:
    try:
        batches = Batches(shards, config.model.context, config.batch, seed, rank=world.rank, ranks=world.size)
        return Loop(config, shards.manifest.vocabulary_size, batches, world)
    except ValueError as error:
        raise RecipeError(str(error)) from error


def _told(shards: TokenShards, config: Run, seed: int, start: str | None) -> dict[str, Any]:
    """What run.json says: a run is resumed only by one that is told the same, but for what `FREE` lists."""
    manifest = shards.manifest
    return {
        "config": config.model_dump(),
        "seed": seed,
        "start": start,
        "data": hashlib.sha256(storage.read_bytes(storage.join(shards.folder, MANIFEST))).hexdigest(),
        "vocabulary_size": manifest.vocabulary_size,
        "eos_id": manifest.eos_id,
        "tokenizer_file": manifest.tokenizer_file,
        "tokenizer_sha256": manifest.tokenizer_sha256,
        "eos": manifest.eos,
    }


def _begin(folder: Path, shards: TokenShards, told: dict[str, Any], world: World) -> Checkpoint | None:
    """The checkpoint to go on from, once the folder is known to be this run's."""
    path = folder / TOLD
    if path.exists():
        _check_same(path, told)
    own = checkpoints.every(folder / CHECKPOINTS)
    begun = own[-1] if own else _of_another_run(told) if told["start"] else None
    step = begun.step if begun is not None else -1
    total, squares = world.sum(step, step * step)
    if world.size * squares != total * total:
        raise RecipeError(f"the processes see other checkpoints in {folder}: it has to be one folder that all share")
    if world.is_first:
        storage.remove_temporary(str(folder / CHECKPOINTS))
        storage.write_json(str(path), told)
        name = shards.manifest.tokenizer_file
        storage.write_bytes(str(folder / name), storage.read_bytes(storage.join(shards.folder, name)))
    return begun


def _of_another_run(told: dict[str, Any]) -> Checkpoint:
    """The checkpoint to begin with, of the same model and tokenizer and not beyond the end."""
    begun = checkpoints.at(told["start"])
    there = begun.state
    if there["tokenizer_sha256"] != told["tokenizer_sha256"]:
        raise RecipeError(
            f"{begun.folder} was trained with the tokenizer of sha256 {there['tokenizer_sha256'][:12]}, and these "
            f"shards are {told['tokenizer_sha256'][:12]}'s: the same ids mean other tokens"
        )
    differ = [
        f"model.{key}: {there['config']['model'].get(key)!r} there, {value!r} here"
        for key, value in told["config"]["model"].items()
        # The model has no weights for places.
        if key != "context" and there["config"]["model"].get(key) != value
    ]
    if differ:
        raise RecipeError("\n  ".join([f"{begun.folder} is of another model; give the same:", *differ]))
    if begun.step >= told["config"]["steps"]:
        raise RecipeError(f"{begun.folder} has {begun.step:,} steps already; steps counts these too, so give more")
    return begun


def _same_place(there: dict[str, Any], told: dict[str, Any]) -> bool:
    """Whether the n-th batch there is the n-th here."""

    def order(run: dict[str, Any]) -> tuple[Any, ...]:
        return run["data"], run["seed"], run["config"]["batch"], run["config"]["model"]["context"]

    return order(there) == order(told)


def _check_same(path: Path, told: dict[str, Any]) -> None:
    before = storage.read_json(str(path))
    # A key that is newer than the run has its default there.
    before["config"] = Run.model_validate(before["config"]).model_dump()
    differ = [
        f"{key}: {before[key]!r} there, {told[key]!r} here"
        for key in ("seed", "start", "data", "vocabulary_size", "tokenizer_sha256")
        if before[key] != told[key]
    ]
    differ += [
        f"{key}: {before['config'].get(key)!r} there, {value!r} here"
        for key, value in told["config"].items()
        if key not in FREE and before["config"].get(key) != value
    ]
    # A spike goes back to a regular checkpoint, so there what is regular counts.
    both = before["config"], told["config"]
    if all(config["guard"]["action"] == "rollback" for config in both):
        every = [config["checkpoints"]["every"] for config in both]
        differ += [f"checkpoints.every: {every[0]} there, {every[1]} here"] if every[0] != every[1] else []
    if differ:
        listed = "\n  ".join(differ)
        raise RecipeError(
            f"{path.parent} holds a run that was told otherwise:\n  {listed}\nGive another folder, or the same values"
        )


@contextlib.contextmanager
def _asked_to_stop() -> Iterator[threading.Event]:
    """Set when SIGTERM comes: schedulers send it before they take a machine away."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before = signal.signal(signal.SIGTERM, lambda *_: asked.set())
    try:
        yield asked
    finally:
        signal.signal(signal.SIGTERM, before)
