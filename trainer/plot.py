"""`loss.png`: a run's losses over the tokens it was trained on."""

from pathlib import Path

import matplotlib

from trainer.log import TRAIN, VALIDATION, rows

# The running mean looks back over about a twentieth of the run: past the noise of single batches, not past the curve.
LOOK_BACK = 0.05


def draw(folder: Path) -> Path:
    """Draw what is in a run's `train.jsonl` and `validation.jsonl`."""
    # No window, whatever the machine has.
    matplotlib.use("Agg")
    from matplotlib import pyplot

    steps, looks = rows(folder / TRAIN), rows(folder / VALIDATION)
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(12, 4.5), layout="constrained")
    tokens = [row["tokens"] / 1e6 for row in steps]
    losses = [row["loss"] for row in steps]
    left.plot(tokens, losses, color="0.8", linewidth=0.8, label="each step")
    left.plot(tokens, _smoothed(losses), color="C0", label="running mean")
    left.set(title="Training loss", xlabel="million tokens", ylabel="nats per token")
    left.legend()
    at = [row["tokens"] / 1e6 for row in looks]
    for source in looks[0]["sources"] if looks else ():
        bits = [row["sources"][source]["bits_per_byte"] for row in looks]
        right.plot(at, bits, marker="o", markersize=3, label=source)
    right.set(title="Held-out text", xlabel="million tokens", ylabel="bits per byte")
    if looks:
        right.legend()
    path = folder / "loss.png"
    figure.savefig(path, dpi=120)
    pyplot.close(figure)
    return path


def _smoothed(losses: list[float]) -> list[float]:
    """The exponentially weighted mean, divided by the weight there is so far (as Adam's first moment)."""
    share = 1 / max(1.0, LOOK_BACK * len(losses))
    mean, weight, found = 0.0, 0.0, []
    for loss in losses:
        mean += share * (loss - mean)
        weight += share * (1 - weight)
        found.append(mean / weight)
    return found
