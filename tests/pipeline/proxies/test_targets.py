"""The targets step: a folder that opens, ids of the tokenizer's own library, errors that name the line."""

import gzip
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from corpus import storage
from corpus.strict import RecipeError
from mixtures import json_tokenizer
from mixtures.json_tokenizer import JsonTokenizer
from mixtures.options import Options
from mixtures.targets import Target
from mixtures.token_shards import TokenShards
from pipeline import steps, tokenize
from pipeline.cluster import Cluster
from pipeline.proxies.targets import targets_step
from pipeline.steps import Step
from tests.conftest import prose

EOS = "<|endoftext|>"
ITEMS = [
    {"query": "Is the module there?", "choices": ["yes", "no", "perhaps"], "gold": 2},
    {"query": "", "choices": ["a name", "name a"], "gold": 0},
]


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory) -> Step:
    path = tmp_path_factory.mktemp("tokenizer") / "own.json"
    path.write_text(json_tokenizer.train(iter(prose(10)), 500, EOS).to_str())
    config = {"file": str(path), "pattern": None, "eos": EOS, "eos_id": None}
    return Step("tokenizer", tokenize.learn_tokenizer, {"tokenizer": config})


def step(learnt: Step, **targets: dict[str, Any]) -> Step:
    adapter: TypeAdapter[dict[str, Target]] = TypeAdapter(dict[str, Target])
    return targets_step(adapter.validate_python(targets), learnt)


def go(root: Path, learnt: Step, **targets: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    made = step(learnt, **targets)
    with Cluster(0) as cluster:
        for each in (learnt, made):
            list(steps.execute(str(root), each, cluster))
    return steps.folder(str(root), made), steps.counts_of(str(root), made)["targets"]


def write(path: Path, rows: list[Any]) -> str:
    path.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode(), mtime=0))
    return str(path)


def test_texts_are_validation_shards_and_items_are_options(learnt: Step, tmp_path: Path) -> None:
    texts = [*prose(4), f"who wrote {EOS} here, é"]
    for number in range(2):
        write(tmp_path / f"text{number}.jsonl.gz", [{"text": text} for text in texts[number::2]])
    folder, counts = go(
        tmp_path / "run",
        learnt,
        own={"kind": "text", "paths": f"{tmp_path}/text*.jsonl.gz"},
        quiz={"kind": "choices", "paths": write(tmp_path / "quiz.jsonl.gz", ITEMS), "measure": "error"},
    )
    shards = TokenShards.open(folder)
    (entry,) = shards.manifest.shards
    own = JsonTokenizer(storage.read_bytes(learnt.params["tokenizer"]["file"]), "own", EOS)
    ids, offsets = shards.tokens(entry), shards.offsets(entry)
    assert [own.decode(ids[a : b - 1]) for a, b in pairwise(offsets)] == texts[::2] + texts[1::2]
    assert (entry.source, entry.split, entry.text_bytes) == ("own", "validation", sum(len(t.encode()) for t in texts))
    assert storage.exists(storage.join(folder, shards.manifest.tokenizer_file))
    assert counts["own"] == {"kind": "text", "documents": 5, "tokens": entry.tokens, "bytes": entry.text_bytes}
    options = Options.load(folder, "quiz")
    assert options.measure == "error"
    assert counts["quiz"] == {
        "kind": "choices",
        "measure": "error",
        "items": 2,
        "options": 5,
        "apart": 0,
        "tokens": len(options.ids),
        "bytes": len("perhaps") + len("a name"),
    }
    assert own.decode(options.ids[: options.offsets[1]]) == "Is the module there? yes"


def test_options_alone_leave_a_folder_that_opens(learnt: Step, tmp_path: Path) -> None:
    folder, _ = go(
        tmp_path / "run", learnt, quiz={"kind": "choices", "paths": write(tmp_path / "quiz.jsonl.gz", ITEMS)}
    )
    assert TokenShards.open(folder).manifest.shards == ()
    assert Options.load(folder, "quiz").items == 2


def test_the_same_input_is_the_same_bytes_and_a_changed_file_another_step(learnt: Step, tmp_path: Path) -> None:
    target = {"kind": "choices", "paths": write(tmp_path / "quiz.jsonl.gz", ITEMS)}
    first, _ = go(tmp_path / "a", learnt, quiz=target)
    second, _ = go(tmp_path / "b", learnt, quiz=target)
    name = "quiz.options.parquet"
    assert storage.read_bytes(storage.join(first, name)) == storage.read_bytes(storage.join(second, name))
    before = step(learnt, quiz=target).key
    write(tmp_path / "quiz.jsonl.gz", ITEMS * 2)
    assert step(learnt, quiz=target).key != before


def test_what_cannot_be_measured_is_named(learnt: Step, tmp_path: Path) -> None:
    empty = write(tmp_path / "empty.jsonl.gz", [{"text": " "}])
    with pytest.raises(ValueError, match=rf'{empty}: no line has a text in "text"'):
        go(tmp_path / "run", learnt, own={"kind": "text", "paths": empty})
    wrong = write(tmp_path / "wrong.jsonl.gz", [ITEMS[0], {**ITEMS[0], "gold": 3}])
    with pytest.raises(ValueError, match=rf'{wrong}, line 2: "gold" is 3'):
        go(tmp_path / "run", learnt, quiz={"kind": "choices", "paths": wrong})
    with pytest.raises(RecipeError, match=r'targets.own.paths: no file matches "nowhere'):
        step(learnt, own={"kind": "text", "paths": "nowhere*.jsonl"})
    with pytest.raises(RecipeError, match="name at least one target"):
        step(learnt)


def test_real_benchmarks(learnt: Step, shared_data: Path, tmp_path: Path) -> None:
    evals = shared_data / "evals"
    _, counts = go(
        tmp_path / "run",
        learnt,
        copa={"kind": "choices", "paths": str(evals / "copa.jsonl.gz")},
        winograd={"kind": "contexts", "paths": str(evals / "winograd_wsc.jsonl.gz")},
        jeopardy={"kind": "continuation", "paths": str(evals / "jeopardy_all.jsonl.gz"), "between": "\nAnswer: "},
        svamp={"kind": "text", "paths": str(evals / "svamp.jsonl.gz"), "text_field": "context"},
    )
    assert {
        name: (found.get("items", found.get("documents")), found.get("options")) for name, found in counts.items()
    } == {
        "copa": (100, 200),
        "winograd": (273, 546),
        "jeopardy": (2117, 2117),
        "svamp": (300, None),
    }
    assert counts["winograd"]["apart"] == 0
