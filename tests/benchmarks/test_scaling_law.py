from pathlib import Path

import numpy as np

from benchmarks import scaling_law
from mixtures.scaling_law import fit


def test_without_the_published_points_the_table_says_so(tmp_path: Path) -> None:
    (table,) = scaling_law._chinchilla(tmp_path / "points.csv")
    assert table.note == f"Not measured: {tmp_path}/points.csv is not there."
    assert not table.rows


def test_what_is_planted_follows_the_planted_law() -> None:
    """Both designs, up to a noise of 2 in 1,000, of which horizons of a run share a part."""
    for design in (scaling_law._independent, scaling_law._planned):
        points = design(np.random.default_rng(0))
        promised = scaling_law.PLANTED.predict(points.parameters, points.tokens)
        error = np.log(points.losses / promised)
        assert 0.5 * scaling_law.NOISE < error.std() < 2 * scaling_law.NOISE
        np.testing.assert_allclose(fit(points).predict(1e8, 2e9), scaling_law.PLANTED.predict(1e8, 2e9), rtol=0.01)
    assert len(set(points.runs)) == 7
    shared = error.reshape(7, 5).mean(1)
    assert shared.std() > 0.5 * scaling_law.NOISE / np.sqrt(2)
