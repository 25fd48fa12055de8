"""Variants of a recipe: what they leave alone, what they never train on, and the sign of what they are worth."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from mixtures.token_shards import Split, TokenShards
from pipeline import steps
from pipeline.cluster import Cluster
from pipeline.pool import Pool, pool_of
from pipeline.proxies import ablation, ablation_result
from pipeline.proxies.ablation import Variant
from pipeline.proxies.study import Study, prepare
from pipeline.recipe import Recipe, load
from pipeline.run import run_steps
from tests.pipeline.proxies.ablation_sources import GARBAGE, NO_REFERENCE, PAGES, STEPS, recipe

__all__ = ["recipe"]


def prepared(recipe: Recipe, root: Path, variants: list[Variant]) -> Study:
    with Cluster(0) as cluster:
        study = prepare(recipe, str(root), cluster, lambda _: None, lambda _: None)
        for variant in variants:
            run_steps(str(root), variant.pool.steps, cluster, lambda _: None, lambda _: None)
    return study


def ids(root: Path, pool: Pool, split: str) -> dict[str, set[int]]:
    """Of each source the ids of documents that a pool trains on, or holds out."""
    folder = Path(steps.folder(str(root), pool.step.inputs["mixture"]))
    tables = {path.stem: pq.read_table(path, columns=["id", "split"]).to_pylist() for path in folder.glob("*.parquet")}
    return {source: {row["id"] for row in rows if row["split"] == split} for source, rows in tables.items()}


def documents(root: Path, pool: Pool, split: Split) -> set[bytes]:
    """The documents of a pool as they lie in its shards."""
    shards = TokenShards.open(steps.folder(str(root), pool.step))
    found: set[bytes] = set()
    for entry in shards.entries(split):
        tokens = np.asarray(shards.tokens(entry))
        found |= {part.tobytes() for part in np.split(tokens, 1 + np.flatnonzero(tokens == shards.manifest.eos_id))}
    return found - {b""}


def test_every_family_one_at_a_time(recipe: Path) -> None:
    found = ablation.variants(load(str(recipe)), (), ())
    assert [variant.name for variant in found] == ["web.gopher_quality", "web.c4", "web.fineweb"]
    parts, shares = ("books.personal_data", "web.reference", "books.personal_data"), ("web=0.5", "web=0.50")
    both = ablation.variants(load(str(recipe)), parts, shares)
    assert [(variant.source, variant.removes) for variant in both] == [("books", True), ("web", True), ("web", False)]


@pytest.mark.parametrize(
    ("variant", "same", "other"),
    [
        ("web.gopher_quality", {"web.read", "web.reference", "books.tokenize"}, {"web.filter", "web.tokenize"}),
        ("web.c4", {"books.tokenize"}, {"web.read", "web.reference", "web.tokenize"}),
        ("web.reference", {"web.read", "books.tokenize"}, {"web.filter", "web.tokenize"}),
        ("books.personal_data", {"web.tokenize"}, {"books.read", "books.tokenize"}),
    ],
)
def test_steps_that_a_variant_shares(recipe: Path, variant: str, same: set[str], other: set[str]) -> None:
    base = {step.name: step.key for step in pool_of(load(str(recipe))).steps}
    (found,) = ablation.variants(load(str(recipe)), (variant,), ())
    keys = {step.name: step.key for step in found.pool.steps}
    shared = {name for name in keys if keys[name] == base[name]}
    assert same <= shared
    assert not shared & {*other, "pool", "pool_mixture"}
    assert found.pool.tokenizer.key == base["tokenizer"]
    assert "tokenizer" not in keys


def test_another_keep_share_scores_nothing_again(recipe: Path) -> None:
    base = {step.name: step.key for step in pool_of(load(str(recipe))).steps}
    (found,) = ablation.variants(load(str(recipe)), (), ("web=0.5",))
    changed = {step.name for step in found.pool.steps if step.key != base[step.name]}
    assert {"web.reference_cutoff", "web.tokenize"} <= changed
    assert not changed & {"web.read", "web.reference", "web.filter", "books.tokenize"}


def test_no_variant_trains_on_what_is_measured(recipe: Path, tmp_path: Path) -> None:
    root = tmp_path / "run"
    checked = load(str(recipe))
    found = ablation.variants(checked, ("web.gopher_quality", "web.fineweb", "web.reference"), ("web=0.5",))
    study = prepared(checked, root, found)
    measured = ids(root, study.pool, "validation")
    assert all(len(own) > 1 for own in measured.values())
    for variant in found:
        trained = ids(root, variant.pool, "train")
        assert not any(trained[source] & measured[source] for source in study.sources), variant.name
        assert not documents(root, study.pool, "validation") & documents(root, variant.pool, "train"), variant.name
        assert ablation.copies_trained_on(study, variant) == 0
    without, _, _, kept = (ids(root, variant.pool, "train")["web"] for variant in found)
    assert without & set(range(PAGES, PAGES + GARBAGE))
    assert max(ids(root, study.pool, "train")["web"]) < PAGES
    assert kept < ids(root, study.pool, "train")["web"]


def test_trials_differ_in_the_pool_alone(recipe: Path, tmp_path: Path) -> None:
    checked = load(str(recipe), (NO_REFERENCE,))
    (variant,) = ablation.variants(checked, ("web.gopher_quality",), ())
    study = prepared(checked, tmp_path / "run", [variant])
    planned = ablation.trials_of(study, [variant])
    base, changed = planned[:3], planned[3:]
    assert [each.seed for each in base] == [each.seed for each in changed] == [1, 2, 3]
    for ours, theirs in zip(base, changed, strict=True):
        assert ours.step.params == theirs.step.params
        differ = {role for role, step in ours.step.inputs.items() if theirs.step.inputs[role].key != step.key}
        assert differ == {"pool"}
        assert theirs.step.inputs["heldout"].key == study.pool.step.key
    assert base[0].shares == pytest.approx({"web": 0.8, "books": 0.2})
    assert base[0].step.params["keep"] == pytest.approx(STEPS * 8 * 32 / 20_000)


def line(name: str, seed: int, loss: float | None) -> dict[str, Any]:
    losses = {} if loss is None else {"clean": loss}
    return {"name": name, "seed": seed, "objective": loss, "losses": losses}


@pytest.mark.parametrize(("removes", "word", "sign"), [(True, "better", -1), (False, "worse", 1)])
def test_a_difference_is_with_minus_without(recipe: Path, removes: bool, word: str, sign: int) -> None:
    """The recipe's losses are the lower ones: what it has helps, and what only the variant has does harm."""
    variant = Variant("it", "web", removes, pool_of(load(str(recipe))))
    lines = [line("recipe", seed, 2.0 + 0.01 * seed) for seed in range(5)]
    lines += [line("it", seed, 2.5 + 0.02 * seed) for seed in range(4)] + [line("it", 4, None)]
    for target in (None, "clean"):
        found = ablation_result.difference(variant, lines, target)
        assert found["word"] == word
        assert found["mean"] == pytest.approx(sign * 0.515)
        assert found["low"] < found["mean"] < found["high"]
        assert found["seeds"] == [0, 1, 2, 3]
        assert found["dropped"] == [4]
        assert json.loads(json.dumps(found)) == found


def test_too_few_seeds_have_no_interval(recipe: Path) -> None:
    variant = Variant("it", "web", True, pool_of(load(str(recipe))))
    lines = [line(name, seed, 2.0 + seed) for name in ("recipe", "it") for seed in (1, 2)]
    assert "2 seeds with both runs" in ablation_result.difference(variant, lines, None)["reason"]
