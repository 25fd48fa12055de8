"""The shipped recipe on 2,790 real pages, in one test because the run takes longest."""

import gzip
import json
import random
from pathlib import Path

import pyarrow.compute as pc
from click.testing import CliRunner

from benchmarks.what_if import CHANGES
from corpus import shards, storage
from pipeline import steps
from pipeline.cluster import Cluster
from pipeline.finished import Run
from pipeline.inspect.command import inspect
from pipeline.quality import Cutoffs
from pipeline.recipe import Recipe, load
from pipeline.run import run
from pipeline.source_graph import files_of, source_steps
from pipeline.summary import of_finished
from pipeline.what_if.recipe import changed
from pipeline.what_if.result import what_if
from tests.pipeline.inspect.run_oracle import Oracle, check

ROOT = Path(__file__).parents[2]


def test_sums_languages_stories_and_other_bounds(shared_data: Path, tmp_path: Path) -> None:
    wikipedia = f"{shared_data}/reference/wikipedia.jsonl.gz"
    paths = [f"sources.web.paths={shared_data}/pages/*.warc.gz", f"sources.wikipedia.paths={wikipedia}"]
    paths += [f"sources.web.reference.positives.paths={wikipedia}", "proxy=null"]
    with Cluster(2) as cluster:
        run(
            load(str(ROOT / "recipes/pages.yaml"), tuple(paths)), str(tmp_path), cluster, lambda _: None, lambda _: None
        )
    _sums_agree_and_languages_are_those_of_the_index(tmp_path, shared_data)
    _two_hundred_urls_have_their_story(tmp_path)
    for change in CHANGES:
        _another_bound_leaves_what_a_rerun_leaves(tmp_path, change)


def _sums_agree_and_languages_are_those_of_the_index(root: Path, shared_data: Path) -> None:
    found = of_finished(str(root))["sources"]["web"]
    assert found["read"] == 2790 == found["kept"] + sum(found["dropped"].values())
    assert found["unreadable"] == []
    with gzip.open(shared_data / "pages/index.jsonl.gz") as file:
        index = [json.loads(line)["lang_guess"] for line in file]
    for language in {"en", *index}:
        share, wanted = found["languages"].get(language, 0) / 2790, index.count(language) / 2790
        assert abs(share - wanted) < 0.03, (language, share, wanted)


def _two_hundred_urls_have_their_story(root: Path) -> None:
    """As many of the crawl's, and of these more than their share that are kept, since there is more to tell of them."""
    oracle = Oracle(root)
    web = [number for number, known in oracle.documents.items() if known["source"] == "web"]
    kept = [number for number in web if oracle.documents[number]["kept"] is not None]
    draw = random.Random(8)
    for number in draw.sample(web, 150) + draw.sample(kept, 50):
        done = CliRunner().invoke(inspect, [str(root), "--url", oracle.documents[number]["row"]["url"], "--json"])
        assert done.exit_code == 0, done.output
        stories = [json.loads(line) for line in done.output.splitlines()]
        assert number in [story["id"] for story in stories]
        for story in stories:
            check(oracle, story)


def _another_bound_leaves_what_a_rerun_leaves(root: Path, change: list[str]) -> None:
    summary = of_finished(str(root))
    recipe = changed(str(root), summary, change, "web")
    [found] = what_if(Run(str(root), summary), recipe, 0, lambda: None).values()
    assert found.stands.after.documents == _left_by_a_rerun(str(root), recipe), change


def _left_by_a_rerun(root: str, recipe: Recipe) -> int:
    """How many documents the steps up to the cutoffs leave; those that read and measure are done."""
    source = recipe.sources["web"]
    chain = source_steps(recipe, "web", source, files_of("sources.web.paths", source.paths), 0)
    todo = steps.stale(root, list(chain.values()))
    assert {step.name for step in todo} <= {"web.filter", "web.reference_cutoff", "web.bands"}
    for step in todo:
        for _ in steps.execute(root, step, Cluster(0)):
            pass
    cutoffs = Cutoffs({"reference_cutoff": steps.folder(root, chain["reference_cutoff"])})
    left = 0
    for number in range(shards.count_parts(steps.folder(root, chain["filter"]))):
        path = storage.join(steps.folder(root, chain["filter"]), shards.part_name(number))
        for batch in shards.batches(path, ["id", "reason", *cutoffs.columns], 1 << 16):
            left += pc.sum(pc.is_null(cutoffs.reasons(batch))).as_py() or 0
    return left
