"""Deduplication by the whole command: against brute force, whatever the files and tasks, and what a later run makes
of an earlier one."""

import gzip
import json
import os
import random
import re
import signal
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from corpus import storage
from corpus.strict import RecipeError
from kernels import signatures
from kernels.texts import Texts
from pipeline import cli, group, keys, similar
from pipeline.cluster import Cluster
from pipeline.recipe import Recipe
from pipeline.run import Result, run
from tests.conftest import FORKS

WORDS = [f"word{n}" for n in range(3000)]
NEAR = {"minhash": {"bands": 14, "rows": 8, "threshold": 0.75}}


def corpus(count: int, seed: int = 0) -> dict[str, str]:
    """Texts by name: some new, some changed copies of those before, chains of changes, exact copies, short ones."""
    rng = random.Random(seed)
    texts: list[list[str]] = []
    for _ in range(count):
        kind = rng.random() if texts else 0.0
        if kind < 0.45:
            text = rng.choices(WORDS, k=rng.choice([3, 40, 80, 150]))
        elif kind < 0.55:
            text = list(rng.choice(texts))
        else:
            text = list(rng.choice(texts[-40:]))
            for _ in range(rng.randint(1, 1 + len(text) // 20)):
                text[rng.randrange(len(text))] = rng.choice(WORDS)
        texts.append(text)
    return {f"d{number:05d}": " ".join(text) for number, text in enumerate(texts)}


def write(folder: Path, texts: Mapping[str, str], files: int = 1) -> str:
    """JSON lines in so many files, one after the other; the pattern of their names."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [json.dumps({"id": name, "text": text, "url": name}) for name, text in texts.items()]
    for number in range(files):
        part = rows[number * len(rows) // files : (number + 1) * len(rows) // files]
        (folder / f"{number:03d}.jsonl.gz").write_bytes(gzip.compress("\n".join(part).encode(), mtime=0))
    return f"{folder}/*.jsonl.gz"


def recipe(sources: Mapping[str, tuple[str, Mapping[str, Any]]], **over: Any) -> Recipe:
    """Sources by name: their files, and what is deduplicated."""
    found = {name: {"kind": "jsonl", "paths": paths, "dedup": dedup} for name, (paths, dedup) in sources.items()}
    return Recipe.model_validate({"name": "dedup", "sources": found, "dedup": over})


def go(wanted: Recipe, root: Path | str, workers: int = 0) -> Result:
    with Cluster(workers) as cluster:
        return run(wanted, str(root), cluster, lambda _: None, lambda _: None)


def verdicts(result: Result, root: Path | str) -> dict[tuple[str, str], dict[str, Any]]:
    """By source and name: the reason, and for a copy the source, run and name of what it repeats and the similarity."""
    found: dict[int, dict[str, Any]] = {}
    for source in result.summary["sources"]:
        steps = result.summary["steps"]
        judged = _rows(root, steps[f"{source}.documents"]["folder"], "verdicts-")
        read = _rows(root, steps[f"{source}.read"]["folder"], "part-")
        assert [row["id"] for row in judged] == [row["id"] for row in read]
        for row, document in zip(judged, read, strict=True):
            found[row["id"]] = {**row, "source": source, "name": document["url"]}
    for row in found.values():
        if row["duplicate_of"] in found:
            row["original"] = found[row["duplicate_of"]]["name"]
    return {(row["source"], row["name"]): row for row in found.values()}


def _rows(root: Path | str, folder: str, start: str) -> list[dict[str, Any]]:
    path = f"{root}/{folder}"
    names = [n for n in storage.list_folder(path) if n.startswith(start) and n.endswith(".parquet")]
    return [row for name in names for row in pq.read_table(storage.open_read(f"{path}/{name}")).to_pylist()]


def outcome(result: Result, root: Path | str) -> dict[tuple[str, str], tuple[Any, ...]]:
    """What does not depend on ids: who goes, why, for whom and how similar."""
    return {key: (row["reason"], row.get("original"), row["similarity"]) for key, row in verdicts(result, root).items()}


def brute_force(texts: Mapping[str, str], order: Iterable[str]) -> dict[str, tuple[str, float]]:
    """All pairs: in the order of preference, a document goes for the first that stays, shares a band and is similar."""
    names = list(texts)
    batch = Texts.of(list(texts.values()))
    bands = signatures.band_hashes(batch, 14, 8, 5)
    sets = [set(found.tolist()) for found in signatures.shingles(batch, 5)]
    shared = np.zeros((len(names), len(names)), bool)
    for band in bands.T:
        shared |= (band[:, None] == band[None, :]) & (band != 0)
    stay: list[int] = []
    gone: dict[str, tuple[str, float]] = {}
    for name in order:
        here = names.index(name)
        for other in stay:
            if shared[here, other]:
                similarity = len(sets[here] & sets[other]) / len(sets[here] | sets[other])
                if similarity >= 0.75:
                    gone[name] = (names[other], similarity)
                    break
        else:
            stay.append(here)
    return gone


@pytest.mark.parametrize("survivor", ["first", "longest"])
def test_the_command_removes_what_a_search_over_all_pairs_would(survivor: str, tmp_path: Path) -> None:
    texts = corpus(3000)
    order = sorted(texts) if survivor == "first" else sorted(texts, key=lambda name: (-len(texts[name]), name))
    wanted = recipe({"web": (write(tmp_path / "in", texts, 3), {**NEAR, "survivor": survivor})})
    found = verdicts(go(wanted, tmp_path / "run"), tmp_path / "run")
    gone = {row["name"]: (row["original"], row["similarity"]) for row in found.values() if row["reason"]}
    assert gone == brute_force(texts, order)
    assert 500 < len(gone) < 2500


def small_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A task for every few rows, a file for every few documents."""
    monkeypatch.setattr(group, "MOST_ROWS", 300)
    monkeypatch.setattr(group, "ROWS", 64)
    monkeypatch.setattr(keys, "PART_BYTES", 1)
    monkeypatch.setattr(similar, "MOST_MEMBERS", 50)
    monkeypatch.setattr(group, "TEXT_ROWS", 64)


def test_who_stays_depends_on_no_number_of_files_tasks_or_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = corpus(600, seed=1)
    every = {**NEAR, "exact": True, "url": True}

    def outcome_of(name: str, files: int, workers: int = 0) -> dict[tuple[str, str], tuple[Any, ...]]:
        wanted = recipe({"web": (write(tmp_path / f"in-{name}", texts, files), every)})
        return outcome(go(wanted, tmp_path / name, workers), tmp_path / name)

    whole = outcome_of("whole", 1)
    assert {reason for reason, _, _ in whole.values()} == {None, "exact_duplicate", "near_duplicate"}
    assert outcome_of("files", 7) == whole
    assert outcome_of("workers", 5, workers=2) == whole
    small_tasks(monkeypatch)
    assert outcome_of("tasks", 1) == whole
    assert outcome_of("both", 7) == whole
    assert len(list((tmp_path / "both/steps").glob("web.pairs-*/part-*.edges"))) > 10
    assert len(list((tmp_path / "both/steps").glob("web.verify-*/part-*.near"))) > 3


def test_with_the_longest_as_survivor_the_order_of_shards_does_not_matter(tmp_path: Path) -> None:
    """All lengths differ, so no id has to decide."""
    texts = {name: f"{text} {name} " + "x" * number for number, (name, text) in enumerate(corpus(500, seed=2).items())}
    backwards = dict(reversed(texts.items()))
    outcomes = []
    for name, each in (("there", texts), ("back", backwards)):
        wanted = recipe(
            {"web": (write(tmp_path / f"in-{name}", each, 4), {**NEAR, "exact": True, "survivor": "longest"})}
        )
        outcomes.append(outcome(go(wanted, tmp_path / name), tmp_path / name))
    assert outcomes[0] == outcomes[1]
    assert sum(reason is not None for reason, _, _ in outcomes[0].values()) > 50


def test_across_sources_the_first_named_wins_whatever_the_order_of_the_recipe(tmp_path: Path) -> None:
    texts = corpus(60, seed=3)
    web = {name: texts[name] for name in texts}
    books = {f"b{name}": text for name, text in list(texts.items())[30:]}
    paths = {"web": write(tmp_path / "web", web), "books": write(tmp_path / "books", books)}
    settings = {**NEAR, "exact": True}

    def gone(across: Sequence[Sequence[str]], order: Sequence[str], name: str) -> dict[str, int]:
        wanted = recipe({source: (paths[source], settings) for source in order}, across=across)
        found = verdicts(go(wanted, tmp_path / name), tmp_path / name).values()
        return {s: sum(1 for row in found if row["source"] == s and row["reason"]) for s in ("web", "books")}

    alone = gone([], ["web", "books"], "alone")
    for order in (["web", "books"], ["books", "web"]):
        first_web = gone([["web", "books"]], order, "web" + "".join(order))
        first_books = gone([["books", "web"]], order, "books" + "".join(order))
        assert first_web == {"web": alone["web"], "books": len(books)}, "every book is also in the web"
        assert first_books["books"] == alone["books"]
        assert first_books["web"] > alone["web"]


def test_what_an_earlier_run_holds_goes_by_its_signatures_alone(tmp_path: Path) -> None:
    texts = corpus(400, seed=4)
    names = list(texts)
    settings = {**NEAR, "exact": True}
    old = recipe({"web": (write(tmp_path / "old", {n: texts[n] for n in names[:200]}), settings)})
    go(old, tmp_path / "first")
    # The earlier run's texts are gone; what is left is its documents step's signatures.
    for path in (tmp_path / "first/steps").glob("*/part-*.parquet"):
        path.unlink()
    new = recipe({"web": (write(tmp_path / "new", texts), settings)}, against=str(tmp_path / "first"))
    found = verdicts(go(new, tmp_path / "second"), tmp_path / "second")
    rows = {row["name"]: row for row in found.values()}
    again = [rows[name] for name in names[:200]]
    spoken = [row for row in again if row["reason"]]
    assert all(row["reason"] for row in again if row["similarity"] == 1.0)
    assert len(spoken) >= 195, "the first 200 are held already, but near the threshold an estimate can fall below it"
    assert {row["reason"] for row in spoken} == {"exact_duplicate", "near_duplicate"}
    later = brute_force(texts, names)
    for name in names[200:]:
        row = rows[name]
        if row["reason"] == "near_duplicate" and row["duplicate_of"] >= 1 << 63:
            assert row["similarity"] >= 0.75
        elif row["reason"] is None:
            assert name not in later or later[name][1] < 0.9, "missed, and not for the estimate's error"
    alone = recipe({"web": (write(tmp_path / "new", texts), settings)})
    kept_alone = go(alone, tmp_path / "alone").summary["sources"]["web"]["kept"]
    kept_old = json.loads((tmp_path / "first/summary.json").read_text())["sources"]["web"]["kept"]
    kept_new = sum(row["reason"] is None for row in rows.values())
    assert abs(kept_old + kept_new - kept_alone) <= 5, "two runs keep what one of both crawls would"


@pytest.mark.parametrize("where", ["local", "memory"])
def test_a_run_is_not_compared_with_itself(where: str, tmp_path: Path) -> None:
    root = str(tmp_path / "run") if where == "local" else f"memory://{tmp_path}/run"
    paths = write(tmp_path / "in", corpus(5))
    kept = go(recipe({"web": (paths, NEAR)}), root).summary["sources"]["web"]["kept"]
    with pytest.raises(RecipeError, match="is the folder of this run"):
        go(recipe({"web": (paths, NEAR)}, against=f"{root}/"), root)
    assert go(recipe({"web": (paths, NEAR)}), root).summary["sources"]["web"]["kept"] == kept


def test_an_earlier_run_with_other_signatures_is_refused_by_name(tmp_path: Path) -> None:
    texts = corpus(20)
    paths = write(tmp_path / "in", texts)
    go(recipe({"web": (paths, {"minhash": {"bands": 10, "rows": 5}})}), tmp_path / "first")
    with pytest.raises(RecipeError, match=r"'bands': 10.*'bands': 14"):
        go(recipe({"web": (paths, NEAR)}, against=str(tmp_path / "first")), tmp_path / "second")
    with pytest.raises(RecipeError, match="is not the folder of a finished run"):
        go(recipe({"web": (paths, NEAR)}, against=str(tmp_path / "nowhere")), tmp_path / "second")
    with pytest.raises(RecipeError, match="nothing in"):
        go(recipe({"web": (paths, {"exact": True})}, against=str(tmp_path / "first")), tmp_path / "second")


def test_books_go_where_more_than_the_threshold_is_in_another(tmp_path: Path) -> None:
    """An edition with a preface contains the bare one; half a book is contained, a book half new is not."""
    rng = random.Random(0)
    book, other, preface = (rng.choices(WORDS, k=k) for k in (20_000, 20_000, 6_000))
    licence = rng.choices(WORDS, k=800)
    texts = {
        "edition": [*licence, *preface, *book],
        "bare": [*book, *licence],
        "half": [*licence, *book[:10_000]],
        "other": [*licence, *other],
        "mixed": [*licence, *book[:8_000], *other[:8_000]],
        "mostly": [*licence, *book[:9_000], *preface[::-1][:600]],
    }
    paths = write(tmp_path / "in", {name: " ".join(words) for name, words in texts.items()})
    wanted = recipe({"books": (paths, {"containment": {"threshold": 0.9}})})
    found = outcome(go(wanted, tmp_path / "run"), tmp_path / "run")
    gone = {name: (reason, original) for (_, name), (reason, original, _) in found.items() if reason}
    assert gone == dict.fromkeys(("bare", "half", "mostly"), ("contained_duplicate", "edition"))


def test_the_same_url_stays_once_and_is_no_reason_against_others(tmp_path: Path) -> None:
    """The second text of a URL is like a third page; since the first of the URL stays, the third does too."""
    words = corpus(1, seed=9)["d00000"].split() * 8
    rng = random.Random(5)
    first, second = (" ".join(rng.choices(WORDS, k=200)) for _ in range(2))
    rows = [
        ("https://a.example/x", first),
        ("http://www.a.example/x/", second),
        ("https://b.example/", second + " end"),
    ]
    rows += [("", "no url " + " ".join(words)), ("", "nor here " + " ".join(words[::-1]))]
    lines = [json.dumps({"url": url, "text": text}) for url, text in rows]
    (tmp_path / "in.jsonl").write_text("\n".join(lines))
    wanted = recipe({"web": (str(tmp_path / "in.jsonl"), {**NEAR, "url": True})})
    result = go(wanted, tmp_path / "run")
    folder = result.summary["steps"]["web.documents"]["folder"]
    reasons = [row["reason"] for row in _rows(tmp_path / "run", folder, "verdicts-")]
    assert reasons == [None, "url_duplicate", None, None, None]


@pytest.mark.parametrize(
    ("lines", "left"),
    [
        ({"min_characters": 0}, ["A first page.", "A second page.", "Page the third."]),
        ({"keep": "first", "min_characters": 0}, ["Home\nA first page.", "A second page.\nAbout", "Page the third."]),
        ({"unit": "paragraph", "min_characters": 0}, ["Home\nA first page.", "A second page.", "Page the third."]),
    ],
)
def test_lines_are_counted_over_all_files(lines: dict[str, Any], left: list[str], tmp_path: Path) -> None:
    texts = {"a": "Home\nA first page.", "b": "A second page.\n\nAbout", "c": "HOME!\n\nPage the third.\n\nabout"}
    if lines.get("unit") == "paragraph":
        left = ["Home\nA first page.", "A second page.", "HOME!\n\nPage the third."]
    elif lines.get("keep") == "first":
        left = ["Home\nA first page.", "A second page.\n\nAbout", "Page the third."]
    wanted = recipe({"web": (write(tmp_path / "in", texts, 3), {"lines": lines})})
    result = go(wanted, tmp_path / "run")
    folder = result.summary["steps"]["web.documents"]["folder"]
    assert [row["text"] for row in _rows(tmp_path / "run", folder, "part-")] == left


def test_a_document_of_which_too_little_is_left_is_dropped_with_its_reason(tmp_path: Path) -> None:
    texts = {"a": "Home\n" + "y" * 300, "b": "Home\nshort", "c": "short too"}
    wanted = recipe({"web": (write(tmp_path / "in", texts), {"lines": True})})
    assert go(wanted, tmp_path / "run").summary["sources"]["web"]["dropped"] == {"repeated_lines": 1}


def test_odd_texts_are_compared_like_any_other(tmp_path: Path) -> None:
    """Empty, of fewer words than a shingle, of one repeated word, and of megabytes."""
    huge = " ".join(f"{n} {n * 7 % 1000}" for n in range(500_000))
    texts = {
        "a": "two words",
        "b": "Two  words",
        "c": "again " * 5_000,
        "d": "again " * 4_000,
        "e": huge,
        "f": huge + " x",
    }
    texts |= {"g": "...", "h": "---"}
    wanted = recipe({"web": (write(tmp_path / "in", texts), {**NEAR, "exact": True})})
    found = outcome(go(wanted, tmp_path / "run"), tmp_path / "run")
    gone = {name: (reason, original) for (_, name), (reason, original, _) in found.items() if reason}
    assert gone == {
        "b": ("exact_duplicate", "a"),
        "d": ("near_duplicate", "c"),
        "f": ("near_duplicate", "e"),
    }


def test_the_only_copies_of_a_file_may_be_at_its_end(tmp_path: Path) -> None:
    """More documents than are read together go before them, none of which is in any cluster."""
    rng = random.Random(3)
    texts = {f"d{n:05d}": " ".join(rng.choices(WORDS, k=20)) for n in range(group.TEXT_ROWS + 5)}
    texts |= {"e0": "the very same words " * 3 + "at the end", "e1": "the very same words " * 3 + "at the end of it"}
    wanted = recipe({"web": (write(tmp_path / "in", texts), {"minhash": {"threshold": 0.5}})})
    found = outcome(go(wanted, tmp_path / "run"), tmp_path / "run")
    assert [name for (_, name), (reason, _, _) in found.items() if reason] == ["e1"]


def test_too_little_memory_is_refused_with_the_least_that_would_do(tmp_path: Path) -> None:
    texts = corpus(50)
    paths = write(tmp_path / "in", texts)
    with pytest.raises(ValueError, match=r"dedup.memory: 1MB .* the least that does is (\d+)MB") as error:
        go(recipe({"web": (paths, NEAR)}, memory="1MB"), tmp_path / "run")
    least = str(error.value).rsplit(" ", 1)[1]
    go(recipe({"web": (paths, NEAR)}, memory=least), tmp_path / "run")


def run_until(name: str, files: int, arguments: list[str]) -> None:
    """The command, killed when step `name` is to have one file more than `files`."""
    replace, left = os.replace, files

    def replace_or_die(source: str, target: str) -> None:
        nonlocal left
        # The lock's and the recipe's own files are not of a step.
        if f"/steps/{name}-" in target:
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
        replace(source, target)

    with mock.patch.object(storage.os, "replace", replace_or_die):
        sys.argv = ["crawlmill", "run", *arguments]
        cli.main()


def test_a_kill_in_any_step_leaves_nothing_that_changes_the_outcome(tmp_path: Path) -> None:
    """In each step, between two of its files: once before the first is there, and once after it."""
    paths = write(tmp_path / "in", corpus(300, seed=6), 3)
    wanted = recipe({"web": (paths, {**NEAR, "exact": True, "url": True, "lines": True})})
    (tmp_path / "dedup.yaml").write_text(yaml.safe_dump(wanted.model_dump()))
    whole = go(wanted, tmp_path / "whole")
    command = [str(tmp_path / "dedup.yaml"), "--workers", "0", "--out", str(tmp_path / "killed")]
    names = [step.name for step in whole.steps]
    assert len(names) == 15
    for name in names:
        for files in (0, 1):
            process = FORKS.Process(target=run_until, args=(name, files, command))
            process.start()
            process.join()
            assert process.exitcode == -signal.SIGKILL, name
    go(wanted, tmp_path / "killed")
    assert not list((tmp_path / "killed").rglob("*.tmp-*"))
    for step in whole.steps:
        there = sorted(path for path in (tmp_path / "whole/steps").glob(f"{step.name}-*/*"))
        again = sorted(path for path in (tmp_path / "killed/steps").glob(f"{step.name}-*/*"))
        assert [path.name for path in there] == [path.name for path in again]
        for one, other in zip(there, again, strict=True):
            # Markers and timings carry seconds.
            if not re.fullmatch(r"part-\d+\.json|timing\.json", one.name):
                assert one.read_bytes() == other.read_bytes(), one


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"minhash": {"bands": 20, "rows": 8, "permutations": 128}}, "20 bands of 8 rows take 160 permutations"),
        ({"minhash": {"bands": 14}}, "give both bands and rows, or neither"),
        ({"minhash": {"threshold": 1.5}}, "less than or equal to 1"),
        ({"minhash": {}, "containment": {}}, "give one of: minhash"),
        ({"survivor": "shortest"}, "'first', 'longest' or 'best'"),
    ],
)
def test_what_does_not_fit_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        recipe({"web": ("nothing", change)})


@pytest.mark.parametrize(
    ("across", "message"),
    [
        ([["web", "boks"]], 'unknown source "boks"; did you mean "books"'),
        ([["web", "books"], ["books", "wiki"]], "books is named twice"),
        ([["web", "wiki"]], r"sources.web.dedup and sources.wiki.dedup differ"),
        ([["none", "web"]], "sources.none.dedup compares no documents"),
    ],
)
def test_groups_that_cannot_be_compared_are_refused(across: list[list[str]], message: str) -> None:
    sources = dict.fromkeys(("web", "books"), ("nothing", NEAR))
    with pytest.raises(ValueError, match=message):
        recipe({**sources, "wiki": ("nothing", {"exact": True}), "none": ("nothing", {})}, across=across)


def test_memory_is_read_as_people_write_it() -> None:
    found = [recipe({"web": ("x", {})}, memory=m).dedup.memory for m in ("2GB", "512 MB", 1000, "1.5GB")]
    assert found == [2 << 30, 512 << 20, 1000, 3 << 29]
    with pytest.raises(ValueError, match="a size such as 4GB"):
        recipe({"web": ("x", {})}, memory="much")


def test_the_best_score_needs_a_reference(tmp_path: Path) -> None:
    wanted = recipe({"web": (write(tmp_path / "in", corpus(3)), {**NEAR, "survivor": "best"})})
    with pytest.raises(RecipeError, match="best goes by the reference score"):
        go(wanted, tmp_path / "run")


def test_of_several_copies_the_one_most_like_the_references_stays(tmp_path: Path) -> None:
    texts = corpus(300, seed=7)
    references = {f"r{n}": text + " encyclopedia article" * 3 for n, text in enumerate(corpus(60, seed=8).values())}
    (tmp_path / "ref.jsonl").write_text("\n".join(json.dumps({"text": text}) for text in references.values()))
    wanted = recipe({"web": (write(tmp_path / "in", texts, 2), {**NEAR, "survivor": "best"})}).model_dump()
    positives = {"kind": "jsonl", "paths": [str(tmp_path / "ref.jsonl")]}
    wanted["sources"]["web"]["reference"] = {"positives": positives, "keep": 0.9}
    result = go(Recipe.model_validate(wanted), tmp_path / "run")
    judged = _rows(tmp_path / "run", result.summary["steps"]["web.filter"]["folder"], "part-")
    score = {row["id"]: row["reference_score"] for row in judged}
    rows = verdicts(result, tmp_path / "run").values()
    gone = [row for row in rows if row["reason"] == "near_duplicate"]
    assert len(gone) > 30
    assert all((-score[row["duplicate_of"]], row["duplicate_of"]) < (-score[row["id"]], row["id"]) for row in gone)
    assert any(row["duplicate_of"] > row["id"] for row in gone), "not merely the first"
    low = {row["id"] for row in rows if row["reason"] == "reference_low_score"}
    assert low
    assert not low & {row["duplicate_of"] for row in gone}, "nobody goes for one that was dropped before"


def test_a_recipe_is_the_same_when_it_is_written_and_read_again(tmp_path: Path) -> None:
    wanted = recipe({"web": (write(tmp_path / "in", corpus(3)), {**NEAR, "lines": True})}, memory="1GB")
    go(wanted, tmp_path / "run")
    again = Recipe.model_validate(yaml.safe_load((tmp_path / "run/recipe.yaml").read_text()))
    assert again == wanted


def test_the_sources_of_an_earlier_run_may_have_any_names(tmp_path: Path) -> None:
    """A summary has them in the order of their names, their documents' ids in that of the recipe."""
    rng = random.Random(6)
    texts = {f"d{number}": " ".join(rng.choices(WORDS, k=40)) for number in range(60)}
    settings = {"minhash": {"bands": 14, "rows": 2, "threshold": 0.5}}
    halves = {"web": dict(list(texts.items())[:30]), "books": dict(list(texts.items())[30:])}
    sources = {name: (write(tmp_path / name, half, 2), settings) for name, half in halves.items()}
    go(recipe(sources), tmp_path / "first")
    wanted = recipe({"new": (write(tmp_path / "new", texts, 2), settings)}, against=str(tmp_path / "first"))
    result = go(wanted, tmp_path / "second")
    assert result.summary["sources"]["new"]["kept"] == 0
