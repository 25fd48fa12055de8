"""Training runs from anywhere as a CSV file: what a scaling law needs of each.

What goes in: a header with `parameters`, `tokens` and `loss`, and perhaps `run`, `unique_tokens` and `flops`, in any
order; other columns are let be. What comes out: points in the order of the lines. What stays true: a cell that is no
number is refused with its file and line; a loss that is nan or inf is a run that diverged.
"""

import csv
import io
import math

from corpus import storage
from corpus.strict import RecipeError
from mixtures.scaling_law import FLOPS
from pipeline.scaling.schema import Point

NEEDED = ("parameters", "tokens", "loss")


def read_points(path: str) -> list[Point]:
    """Rows of one `run` are horizons of one training run; unnamed, each is a run of its own, called by its line.

    `flops` are 6 N D unless given. Raises `RecipeError` for what is no such file.
    """
    try:
        text = storage.read_bytes(path).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path} cannot be read: {error}") from error
    reader = csv.DictReader(io.StringIO(text, newline=""))
    names = [name.strip() for name in reader.fieldnames or []]
    if missing := [name for name in NEEDED if name not in names]:
        found = ", ".join(names) or "none"
        raise RecipeError(f"{path} has no column {', '.join(missing)} (columns: {found}); name them in the first line")
    reader.fieldnames = names
    points = []
    for row in reader:
        if None in row or None in row.values():
            raise RecipeError(
                f"{path}, line {reader.line_num}: there are to be {len(names)} cells, as in the first line"
            )
        points.append(_point(row, f"{path}, line {reader.line_num}", reader.line_num))
    return points


def _point(row: dict[str, str], where: str, line: int) -> Point:
    loss = _number(row["loss"], f"{where}: loss")
    parameters, tokens = (_positive(row[name], f"{where}: {name}") for name in ("parameters", "tokens"))
    if math.isfinite(loss) and loss <= 0:
        raise RecipeError(f"{where}: loss {row['loss']} is not above 0; give nats a token or bits a byte")
    return {
        "run": row.get("run", "").strip() or f"line {line}",
        "parameters": round(parameters),
        "tokens": round(tokens),
        "unique": round(_positive(unique, f"{where}: unique_tokens"))
        if (unique := _cell(row, "unique_tokens"))
        else None,
        "flops": _positive(flops, f"{where}: flops") if (flops := _cell(row, "flops")) else FLOPS * parameters * tokens,
        "loss": loss if math.isfinite(loss) else None,
        "diverged": None if math.isfinite(loss) else f"the loss is {loss}",
    }


def _cell(row: dict[str, str], name: str) -> str:
    """Of a column that may be missing, and empty in some rows."""
    return row.get(name, "").strip()


def _positive(cell: str, what: str) -> float:
    value = _number(cell, what)
    if not (math.isfinite(value) and value >= 1):
        raise RecipeError(f"{what} {cell} is no number from 1 up; correct it, or leave the row out")
    return value


def _number(cell: str, what: str) -> float:
    try:
        return float(cell)
    except ValueError as error:
        raise RecipeError(f'{what} "{cell}" is no number; write it as 70000000 or 7e7') from error
