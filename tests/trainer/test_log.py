from pathlib import Path

import pytest

from trainer.evaluate import Heldout, Validation
from trainer.log import TRAIN, VALIDATION, Log, rows


def look(bits: float) -> Validation:
    found = Heldout(tokens=10, text_bytes=30, nats_per_token=2.0, bits_per_byte=bits)
    return Validation(overall=found, sources={"web": found}, unmeasured=[])


def test_rows_after_the_step_that_counts_are_forgotten(tmp_path: Path) -> None:
    with Log(tmp_path, 0, tensorboard=False) as log:
        for step in (1, 2, 3):
            log.update({"step": step, "loss": float(step)})
        log.validated(2, 20, look(1.0))
        log.validated(3, 30, look(0.9))
        log.go_back_to(2)
        log.update({"step": 3, "loss": 30.0})
        assert log.looks() == {2: 2.0}
    assert [row["loss"] for row in rows(tmp_path / TRAIN)] == [1.0, 2.0, 30.0]
    assert [row["step"] for row in rows(tmp_path / VALIDATION)] == [2]
    with (tmp_path / TRAIN).open("a") as file:
        file.write('{"step": 4, "lo')
    with Log(tmp_path, 3, tensorboard=False) as log:
        log.update({"step": 4, "loss": 4.0})
    assert [row["step"] for row in rows(tmp_path / TRAIN)] == [1, 2, 3, 4]


def test_a_row_is_there_as_soon_as_it_is_written(tmp_path: Path) -> None:
    with Log(tmp_path, 0, tensorboard=False) as log:
        log.update({"step": 1, "loss": 1.0})
        assert len(rows(tmp_path / TRAIN)) == 1


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tensorboard_reads_the_same_numbers(tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    with Log(tmp_path, 0, tensorboard=True) as log:
        for step in (1, 2):
            log.update({"step": step, "loss": step / 2})
        log.validated(2, 20, look(0.75))
        log.update({"step": 3, "loss": 9.0})
        log.go_back_to(2)
        log.update({"step": 3, "loss": 1.5})
    found = accumulator.EventAccumulator(str(tmp_path / "tensorboard"))
    found.Reload()
    assert [(e.step, e.value) for e in found.Scalars("train/loss")] == [(1, 0.5), (2, 1.0), (3, 1.5)]
    assert [(e.step, e.value) for e in found.Scalars("bits_per_byte/all")] == [(2, 0.75)]


def test_the_drawn_mean_follows_the_losses_of_short_and_long_runs() -> None:
    from trainer.plot import _smoothed

    assert _smoothed([3.0] * 50) == pytest.approx([3.0] * 50)
    for steps in (10, 1000):
        falling = [10.0 - 5 * step / steps for step in range(steps)]
        assert abs(_smoothed(falling)[-1] - falling[-1]) < 0.05 * 5 + 0.05
    noise = [4.0 + 0.5 * (-1) ** step for step in range(1000)]
    assert max(abs(mean - 4.0) for mean in _smoothed(noise)[100:]) < 0.02
