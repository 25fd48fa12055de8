"""The whole way from proposals to a verdict where the truth is known: losses made of planted laws, with noise.

How near the chosen mixture is to the best one, how often intervals hold what they should, how often a difference is
accepted that is there, and that is not.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.inputs import Inputs
from benchmarks.results import Table
from mixtures.choice import Chosen, choose, decide
from mixtures.law import Law, Laws, fit, resampled
from mixtures.proposals import project, proposals, share_caps
from mixtures.verdict import judge

Array = NDArray[np.float64]

# Llama 1's token shares (arXiv:2302.13971, table 1), and a smaller crawl's.
NATURAL = {7: (0.67, 0.15, 0.045, 0.045, 0.045, 0.025, 0.02), 4: (0.6, 0.25, 0.1, 0.05)}
RUNS, FLOOR, MAX_EPOCHS, TOKENS = 24, 0.01, 4.0, 1_000_000_000
# Bits per byte at the natural mixture, how much of them data can take away, and what mixtures change.
LOSSES, REMOVABLE, EFFECTS = (1.0, 3.0), (0.2, 0.6), (0.05, 0.5)
SEEDS, SIZES = 3, ("small", "large")
NEAR = 0.02


@dataclass(frozen=True)
class Setting:
    """`noise` is the deviation of one run's loss from its law, half of its variance common to the run's targets."""

    sources: int
    targets: int
    noise: float
    kl: float
    draws: int = 100
    resamples: int = 100
    effect: bool = True
    runs: int = RUNS


SETTINGS = {
    "4 sources, 4 targets": Setting(4, 4, 0.003, 0.05),
    "7 sources, 7 targets": Setting(7, 7, 0.003, 0.05),
    "7 sources, nothing planted": Setting(7, 7, 0.003, 0.05, effect=False),
}
# What more noise, a lower price of divergence and more runs do to the distance.
VARIED = {
    f"7 sources, noise {noise}, kl {kl}, {runs} runs": Setting(7, 7, noise, kl, resamples=0, runs=runs)
    for noise, kl, runs in (
        (0.002, 0.05, 24), (0.003, 0.05, 36), (0.003, 0.05, 48), (0.005, 0.05, 24), (0.01, 0.05, 24),
        (0.002, 0.02, 24), (0.003, 0.02, 24), (0.005, 0.02, 24), (0.005, 0.02, 96),
    )
}  # fmt: skip
# With 7 sources 24 runs of noise .003 do not get there.
PROMISED_NEAR = ("4 sources, 4 targets", "7 sources, noise 0.002, kl 0.05, 24 runs")
COLUMNS = {
    "largest error of a share, median": ".4f", "90th percentile": ".4f", f"within {NEAR}": ".2f",
    "gain there": ".4f", "gain covered": ".2f", "shares covered, worst source": ".2f",
    "accepted": ".2f",
}  # fmt: skip
COVERED, FALSELY_ACCEPTED, NEAR_ENOUGH = 0.9, 0.05, 0.9


def run(inputs: Inputs) -> list[Table]:
    rows = {name: measure(setting) for name, setting in {**SETTINGS, **VARIED}.items()}
    note = (
        f"Planted log-linear laws of {LOSSES[0]:g} to {LOSSES[1]:g} bits per byte, of which mixtures move each by "
        f"{EFFECTS[0]} to {EFFECTS[1]}; {RUNS} proxy runs of one design, at most {MAX_EPOCHS:g} epochs, a floor of "
        f"{FLOOR}, noise .003 and kl .05 unless said; 100 draws of laws and noise a row. The error is against the "
        "best mixture of the planted laws under the same objective. Covered: in the 95 % interval; accepted: by three "
        "paired seeds at two sizes."
    )
    return [Table("Mixtures with planted truth", note, COLUMNS, rows, broken(rows))]


def broken(rows: dict[str, dict[str, float]]) -> list[str]:
    failures = []
    for name, setting in SETTINGS.items():
        row = rows[name]
        if row["gain covered"] < COVERED:
            failures.append(f"{name}: the interval of the gain covers it in {row['gain covered']:.0%}")
        if not setting.effect:
            if row["accepted"] > FALSELY_ACCEPTED:
                failures.append(f"{name}: {row['accepted']:.0%} accepted without a difference")
            continue
        if row["shares covered, worst source"] < COVERED:
            failures.append(f"{name}: a share's interval covers it in {row['shares covered, worst source']:.0%}")
    failures += [
        f"{name}: {rows[name][f'within {NEAR}']:.0%} of choices within {NEAR} of the best shares"
        for name in PROMISED_NEAR
        if rows[name][f"within {NEAR}"] < NEAR_ENOUGH
    ]
    return failures


def measure(setting: Setting, seed: int = 0) -> dict[str, float]:
    """Rates and errors over the setting's draws. All draws have one design, so that their laws are fitted at once."""
    natural = np.array(NATURAL[setting.sources])
    sources = [f"source {n}" for n in range(setting.sources)]
    unique = {source: round(share * TOKENS) for source, share in zip(sources, natural, strict=True)}
    caps = share_caps(unique, dict.fromkeys(sources, MAX_EPOCHS), TOKENS, FLOOR)
    # Three are the natural, the uniform and the one between.
    found = proposals(unique, caps, {}, count=setting.runs - 3, floor=FLOOR, seed=seed)
    shares = np.array([list(proposal.shares.values()) for proposal in found])
    random = np.random.default_rng(seed)
    upper = np.array(list(caps.values()))
    truths = [planted(random, setting, natural, upper) for _ in range(setting.draws)]
    losses = [truth.predict(shares) + noise(random, setting, len(shares)) for truth in truths]
    targets = [f"{draw}: {target}" for draw, truth in enumerate(truths) for target in truth.targets]
    together = fit(shares, np.hstack(losses), sources, targets)
    fitted = apart(together, setting.targets)
    again = [
        apart(each, setting.targets)
        for each in (
            resampled(together, shares, np.hstack(losses), setting.resamples, seed) if setting.resamples else []
        )
    ]
    draws = [
        Draw.of(
            truth, fitted[n], [each[n] for each in again], shares[np.argmin(losses[n].mean(axis=1))], upper, setting
        )
        for n, truth in enumerate(truths)
    ]
    accepted = [verify(random, draw, setting) for draw in draws]
    return summary(draws, accepted, setting)


def planted(random: np.random.Generator, setting: Setting, natural: Array, caps: Array) -> Laws:
    """A law a target; the first targets are the sources' own, which more of the source helps most."""
    sources = setting.sources
    around = random.dirichlet(np.sqrt(natural) / np.sqrt(natural).sum() * 3, 200)
    around = np.array([project(each, FLOOR, caps) for each in around])
    laws = []
    for target in range(setting.targets):
        direction = random.normal(0, 0.3, sources)
        if target < sources:
            direction[target] -= 2
        direction -= direction @ natural
        loss = random.uniform(*LOSSES)
        above = loss * random.uniform(*REMOVABLE)
        effect = np.exp(random.uniform(*np.log(EFFECTS))) if setting.effect else 0.0
        laws.append(Law(loss - above, scale(above, around @ direction, effect) * direction + np.log(above)))
    return Laws(
        tuple(f"source {n}" for n in range(sources)), tuple(f"target {n}" for n in range(setting.targets)), tuple(laws)
    )


def scale(above: float, along: Array, effect: float) -> float:
    """The factor of `along` with which above * exp(factor * along) has the range `effect`."""
    low, high = 0.0, 50.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if np.ptp(above * np.exp(middle * along)) < effect else (low, middle)
    return low


def noise(random: np.random.Generator, setting: Setting, runs: int) -> Array:
    common, own = random.normal(0, setting.noise, (runs, 1)), random.normal(0, setting.noise, (runs, setting.targets))
    return np.asarray((common + own) / np.sqrt(2))


def apart(laws: Laws, targets: int) -> list[Laws]:
    """Laws of all draws by draw."""
    return [
        replace(laws, targets=laws.targets[start : start + targets], laws=laws.laws[start : start + targets])
        for start in range(0, len(laws.laws), targets)
    ]


@dataclass(frozen=True)
class Draw:
    """A truth, its best mixture, and the one chosen by noisy runs; `decided` where there are resamples."""

    truth: Laws
    natural: Array
    best: Array
    chosen: Array
    decided: Chosen | None

    @classmethod
    def of(cls, truth: Laws, fitted: Laws, again: list[Laws], observed: Array, caps: Array, setting: Setting) -> "Draw":
        weights, natural = np.ones(setting.targets), np.array(NATURAL[setting.sources])
        best = choose(truth, weights, natural, caps, FLOOR, setting.kl)
        if not again:
            return cls(truth, natural, best, choose(fitted, weights, natural, caps, FLOOR, setting.kl), None)
        decided = decide(
            fitted, again, observed, weights,
            unique=natural * TOKENS, tokens=TOKENS, caps=caps, floor=FLOOR, kl=setting.kl,
        )  # fmt: skip
        chosen = np.array([interval.value for interval in decided.shares.values()])
        return cls(truth, natural, best, chosen, decided)

    def gain(self, shares: Array) -> float:
        """How much lower the true objective is than at the natural mixture."""
        return float(np.subtract(*self.truth.predict(np.array([self.natural, shares])).mean(axis=1)))

    def covers_gain(self) -> bool:
        assert self.decided is not None
        interval = self.decided.gain["natural"]
        return interval.low - 1e-9 <= -self.gain(self.chosen) <= interval.high + 1e-9

    def covers_shares(self) -> list[bool]:
        """Within what the search for the mixture leaves open."""
        assert self.decided is not None
        intervals = self.decided.shares.values()
        return [i.low - 1e-4 <= best <= i.high + 1e-4 for i, best in zip(intervals, self.best, strict=True)]


def verify(random: np.random.Generator, draw: Draw, setting: Setting) -> bool:
    """The verdict on new runs of the chosen and of the natural mixture."""
    points = draw.truth.predict(np.array([draw.chosen, draw.natural]))
    sizes = {}
    for size in SIZES:
        measured = [points + noise(random, setting, 2) for _ in range(SEEDS)]
        sizes[size] = {
            name: {seed: float(losses[row].mean()) for seed, losses in enumerate(measured)}
            for row, name in enumerate(("chosen", "natural"))
        }
    return judge(sizes).accepted


def summary(draws: list[Draw], accepted: list[bool], setting: Setting) -> dict[str, float]:
    row = {"accepted": float(np.mean(accepted))}
    if setting.effect:
        errors = np.array([np.abs(draw.chosen - draw.best).max() for draw in draws])
        row["largest error of a share, median"] = float(np.median(errors))
        row["90th percentile"] = float(np.percentile(errors, 90))
        row[f"within {NEAR}"] = float((errors <= NEAR).mean())
        row["gain there"] = float(np.mean([draw.gain(draw.chosen) for draw in draws]))
    if setting.resamples:
        row["gain covered"] = float(np.mean([draw.covers_gain() for draw in draws]))
    if setting.resamples and setting.effect:
        row["shares covered, worst source"] = float(np.mean([draw.covers_shares() for draw in draws], axis=0).min())
    return row
