import json
from pathlib import Path

from click.testing import CliRunner

from pipeline.eval_sets_command import eval_sets

LONG = "seven small ships sailed slowly south past nine tall towers before the sun had set"


def written(folder: Path) -> str:
    texts = [LONG, "Which of the ships sailed past the last tower?", "Why not?"]
    (folder / "ships.jsonl").write_text("".join(json.dumps({"question": text, "id": "x"}) + "\n" for text in texts))
    return str(folder / "*.jsonl")


def test_the_numbers_of_each_set(tmp_path: Path) -> None:
    done = CliRunner().invoke(eval_sets, [written(tmp_path), "--field", "question", "--json"])
    assert json.loads(done.stdout) == [{"name": "ships", "items": 3, "whole": 1, "unfindable": 1, "grams": 4}]
    done = CliRunner().invoke(eval_sets, [written(tmp_path), "--field", "question", "--shortest", "13", "--json"])
    assert json.loads(done.stdout) == [{"name": "ships", "items": 3, "whole": 0, "unfindable": 2, "grams": 3}]


def test_a_table_for_people(tmp_path: Path) -> None:
    done = CliRunner().invoke(eval_sets, [written(tmp_path), "--field", "question"])
    heading, row = [line.split() for line in done.stdout.splitlines()]
    assert heading[:3] == ["eval", "set", "items"]
    assert row == ["ships", "3", "1", "1", "4"]


def test_a_mistake_ends_with_what_was_wrong(tmp_path: Path) -> None:
    done = CliRunner().invoke(eval_sets, [written(tmp_path), "--field", "answer"])
    assert done.exit_code == 2
    assert "no text in 'answer'; its items have the fields 'question', 'id'" in " ".join(done.stderr.split())
    assert CliRunner().invoke(eval_sets, [str(tmp_path / "none.jsonl")]).exit_code == 2
