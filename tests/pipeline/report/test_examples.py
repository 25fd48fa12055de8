"""Clusters are told by what stayed: a copy of a near-duplicate is one of what that repeats."""

import json
from pathlib import Path

from pipeline.cluster import Cluster
from pipeline.recipe import load
from pipeline.run import run
from tests.conftest import prose

RECIPE = """
name: chain
sources:
  web: {{kind: jsonl, paths: {folder}/web.jsonl, dedup: {{exact: true, minhash: {{}}}}}}
  books: {{kind: jsonl, paths: {folder}/books.jsonl, dedup: {{exact: true, minhash: {{}}}}}}
dedup: {{across: [[web, books]]}}
"""


def test_a_copy_of_a_near_duplicate_belongs_to_what_stays(tmp_path: Path) -> None:
    first, other = prose(2)
    near = f"{first} And more."
    for name, texts in {"web": [first, near, near, other], "books": [near, other]}.items():
        (tmp_path / f"{name}.jsonl").write_text("\n".join(json.dumps({"text": text}) for text in texts))
    (tmp_path / "recipe.yaml").write_text(RECIPE.format(folder=tmp_path))
    with Cluster(0) as cluster:
        run(load(str(tmp_path / "recipe.yaml"), ()), str(tmp_path / "run"), cluster, lambda _: None, lambda _: None)
    sources = json.loads((tmp_path / "run/summary.json").read_text())["sources"]
    found = {name: [(row["id"], row["copies"]) for row in sources[name]["clusters"]["largest"]] for name in sources}
    assert found == {"web": [(0, 2)], "books": [(0, 1), (3, 1)]}
    assert sources["web"]["clusters"]["sizes"] == [[2, 1]]
