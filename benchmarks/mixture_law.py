"""How well laws fitted to proxy runs rank large models: RegMix's published runs, beside other regressors.

What goes in: 512 runs of a model of 1 million parameters and 64 models of a billion, on mixtures of 17 sources, with
losses on 13 (Liu et al. 2024, arXiv:2407.01492; github.com/sail-sg/regmix). What stays true: every regressor gets the
same runs; none sees a large model.
"""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from benchmarks.inputs import Inputs
from benchmarks.results import Table
from mixtures.law import fit
from mixtures.second_opinion import posterior

Array = NDArray[np.float64]
Regressor = Callable[[Array, Array, Array], Array]

# Three runs a source.
FEW = 51
DRAWS = 50
# The target that RegMix itself chooses mixtures by.
CHOSEN_BY = "pile_cc"
LEAST_RANK, LARGEST_REGRET = 0.97, 0.005
COLUMNS = {
    "Pile-CC, rank": ".3f",
    "Pile-CC, regret": ".4f",
    "mean of 13, rank": ".3f",
    "mean of 13, regret": ".4f",
}


def run(inputs: Inputs) -> list[Table]:
    note = (
        "Spearman's rank correlation of what runs of 1M parameters predict with the losses of 64 models of 1B; regret: "
        "the loss of the model predicted to be best over the best one's, nats a token. Random runs: "
        f"{DRAWS} draws without replacement. Held to a bound is the law of the first {FEW} runs on Pile-CC, the target "
        "that RegMix chooses by (rank .97, regret .005). The mean of all targets is not: nothing here reaches .97 on "
        "it, not even laws of 63 of the 1B models themselves, asked for the one left out (last row)."
    )
    if not inputs.published.is_dir():
        return [Table("Laws of mixtures", f"Not measured: RegMix's runs are not in {inputs.published}.", COLUMNS, {})]
    rows = measured(inputs.published, DRAWS)
    first = rows[f"log-linear law, first {FEW} runs"]
    rank, regret = first["Pile-CC, rank"], first["Pile-CC, regret"]
    failures = []
    if rank < LEAST_RANK or regret > LARGEST_REGRET:
        failures.append(f"the law of {FEW} runs ranks 1B models with {rank:.3f} and a regret of {regret:.4f}")
    return [Table("Laws of mixtures", note, COLUMNS, rows, failures)]


def measured(folder: Path, draws: int) -> dict[str, dict[str, float]]:
    """The rows: every regressor on the first 51 runs, on all, and, those that are quick, on random ones."""
    shares, losses, targets = read(folder, "train_mixture_1m.csv", "train_pile_loss_1m.csv")
    large, truth, _ = read(folder, "test_mixture_1B.csv", "test_pile_loss_1B.csv")
    column = targets.index(CHOSEN_BY)
    rows = {}
    regressors: dict[str, Regressor] = {
        "log-linear law": law,
        "ridge": ridge,
        "gradient boosting": boosting,
        "Gaussian process": process,
    }
    for name, regressor in regressors.items():
        for title, count in ((f"first {FEW} runs", FEW), (f"all {len(shares)} runs", len(shares))):
            rows[f"{name}, {title}"] = scores(regressor(shares[:count], losses[:count], large), truth, column)
    for name in ("log-linear law", "ridge"):
        random = np.random.default_rng(0)
        found = []
        for _ in range(draws):
            picked = random.choice(len(shares), FEW, replace=False)
            found.append(scores(regressors[name](shares[picked], losses[picked], large), truth, column))
        rows |= _distribution(f"{name}, {FEW} random runs", found)
    others = [np.arange(len(large)) != n for n in range(len(large))]
    left_out = np.concatenate([law(large[o], truth[o], large[~o]) for o in others])
    rows["log-linear law of 63 1B models, the 64th"] = scores(left_out, truth, column)
    return rows


def read(folder: Path, mixtures: str, losses: str) -> tuple[Array, Array, list[str]]:
    """Shares, which are rounded to .001 there and sum to 1 here, losses, and the targets' names."""
    shares = np.loadtxt(folder / mixtures, delimiter=",", skiprows=1)[:, 1:]
    with open(folder / losses, encoding="utf-8") as file:
        names = next(csv.reader(file))[1:]
    targets = [name.removeprefix("metric/the_pile_").removesuffix("_val_loss") for name in names]
    return (
        shares / shares.sum(axis=1, keepdims=True),
        np.loadtxt(folder / losses, delimiter=",", skiprows=1)[:, 1:],
        targets,
    )


def scores(predicted: Array, truth: Array, column: int) -> dict[str, float]:
    """Rank correlation and regret of one target and of the mean of all."""
    found = []
    for guess, loss in ((predicted[:, column], truth[:, column]), (predicted.mean(axis=1), truth.mean(axis=1))):
        found += [float(spearmanr(guess, loss).statistic), float(loss[np.argmin(guess)] - loss.min())]
    return dict(zip(COLUMNS, found, strict=True))


def _distribution(title: str, found: list[dict[str, float]]) -> dict[str, dict[str, float]]:
    """The median of the draws, and the worst twentieth, which is low for ranks and high for regrets."""
    worst = {name: 0.05 if name.endswith("rank") else 0.95 for name in COLUMNS}
    columns = {name: np.array([each[name] for each in found]) for name in COLUMNS}
    return {
        f"{title}, median": {name: float(np.median(values)) for name, values in columns.items()},
        f"{title}, worst 5 %": {name: float(np.quantile(values, worst[name])) for name, values in columns.items()},
    }


def law(shares: Array, losses: Array, asked: Array) -> Array:
    sources = [f"source {n}" for n in range(shares.shape[1])]
    targets = [f"target {n}" for n in range(losses.shape[1])]
    return fit(shares, losses, sources, targets).predict(asked)


def ridge(shares: Array, losses: Array, asked: Array) -> Array:
    from sklearn.linear_model import RidgeCV

    return np.asarray(RidgeCV(np.geomspace(1e-4, 10, 11)).fit(shares, losses).predict(asked))


def boosting(shares: Array, losses: Array, asked: Array) -> Array:
    from sklearn.ensemble import GradientBoostingRegressor

    def one(column: Array) -> Array:
        trees = GradientBoostingRegressor(n_estimators=300, learning_rate=0.05, subsample=0.8, random_state=0)
        return np.asarray(trees.fit(shares, column).predict(asked))

    return np.stack([one(column) for column in losses.T], axis=1)


def process(shares: Array, losses: Array, asked: Array) -> Array:
    """The one that gives the second opinion."""
    return np.stack([posterior(shares, column, asked)[0] for column in losses.T], axis=1)
