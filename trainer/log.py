"""What a run leaves behind while it goes on: its losses as JSON lines, and for TensorBoard by choice.

What stays true: after a run was killed, resumed or rolled back there is one row for each step that counts, in order.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from corpus import storage
from trainer.evaluate import Validation

TRAIN, VALIDATION = "train.jsonl", "validation.jsonl"


class Log:
    """`train.jsonl` has a row for each update, `validation.jsonl` one for each look at held-out text.

    Rows of an earlier attempt that are after `step` updates are forgotten.
    """

    def __init__(self, folder: Path, step: int, tensorboard: bool) -> None:
        self.folder, self.tensorboard = folder, tensorboard
        self._open(step)

    def __enter__(self) -> "Log":
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def go_back_to(self, step: int) -> None:
        """Forget the rows after `step` updates."""
        self._close()
        self._open(step)

    def looks(self) -> dict[int, float]:
        """Nats per token of all held-out text, by step."""
        return {row["step"]: row["overall"]["nats_per_token"] for row in rows(self.folder / VALIDATION)}

    def _open(self, step: int) -> None:
        for name in (TRAIN, VALIDATION):
            path = self.folder / name
            before = path.read_text().splitlines(keepends=True) if path.exists() else []
            # The last line of a killed run may be cut short.
            whole = [line for line in before if line.endswith("\n") and json.loads(line)["step"] <= step]
            storage.write_bytes(str(path), "".join(whole).encode())
        self._files = {name: (self.folder / name).open("a", buffering=1) for name in (TRAIN, VALIDATION)}
        self._board = _board(self.folder / "tensorboard", step) if self.tensorboard else None

    def _close(self) -> None:
        for file in self._files.values():
            file.close()
        if self._board is not None:
            self._board.close()

    def update(self, row: Mapping[str, Any]) -> None:
        self._write(TRAIN, row, {key: value for key, value in row.items() if key != "step"})

    def validated(self, step: int, tokens: int, validation: Validation) -> None:
        named = {**validation.sources, "all": validation.overall}
        bits = {f"bits_per_byte/{name}": found.bits_per_byte for name, found in named.items()}
        self._write(VALIDATION, {"step": step, "tokens": tokens, **asdict(validation)}, bits)

    def _write(self, name: str, row: Mapping[str, Any], scalars: Mapping[str, float | None]) -> None:
        self._files[name].write(json.dumps(row) + "\n")
        if self._board is not None:
            for key, value in scalars.items():
                if value is not None:
                    self._board.add_scalar(key if "/" in key else f"train/{key}", value, row["step"])


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def _board(folder: Path, step: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise ValueError('tensorboard: true needs TensorBoard; install it with: pip install "tensorboard"') from error
    return SummaryWriter(folder, purge_step=step + 1)
