"""Runs from a CSV file: what is taken over, and what is refused by its line."""

from pathlib import Path

import pytest

from corpus.strict import RecipeError
from pipeline.scaling.points import read_points


def file(folder: Path, text: str) -> str:
    path = folder / "runs.csv"
    path.write_bytes(text.encode())
    return str(path)


def test_columns_are_found_by_name_and_flops_are_6_n_d_unless_given(tmp_path: Path) -> None:
    text = (
        "\ufefftokens, loss,parameters,flops,note,run,unique_tokens\r\n"
        "1e9,3.25,7e7,,early,small,\r\n"
        '2_000_000_000,3.0,70000000,9e17,"a, b",small,5e8\r\n'
        "4e9,2.9,7e7,,,,\r\n"
    )
    first, second, third = read_points(file(tmp_path, text))
    assert first == {
        "run": "small",
        "parameters": 70_000_000,
        "tokens": 10**9,
        "unique": None,
        "flops": 6 * 7e7 * 1e9,
        "loss": 3.25,
        "diverged": None,
    }
    assert (second["tokens"], second["flops"], second["unique"]) == (2 * 10**9, 9e17, 5 * 10**8)
    assert third["run"] == "line 4"


def test_a_loss_that_is_no_finite_number_is_a_run_that_diverged(tmp_path: Path) -> None:
    (point,) = read_points(file(tmp_path, "parameters,tokens,loss\n1e6,1e7,nan\n"))
    assert point["loss"] is None
    assert point["diverged"] == "the loss is nan"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has no column parameters, tokens, loss (columns: none)"),
        ("params,tokens,loss\n1,2,3\n", "has no column parameters (columns: params, tokens, loss)"),
        ("parameters,tokens,loss\n1e6,1e7,3\n1e6,ten,3\n", 'runs.csv, line 3: tokens "ten" is no number'),
        ("parameters,tokens,loss\n1e6,1e7,\n", 'line 2: loss "" is no number'),
        ("parameters,tokens,loss\n1e6,1e7,-1\n", "line 2: loss -1 is not above 0"),
        ("parameters,tokens,loss\n0,1e7,3\n", "line 2: parameters 0 is no number from 1 up"),
        ("parameters,tokens,loss\n1e6,inf,3\n", "line 2: tokens inf is no number from 1 up"),
        ("parameters,tokens,loss\n1e6,1e7\n", "line 2: there are to be 3 cells"),
        ("parameters,tokens,loss\n1e6,1e7,3,4\n", "line 2: there are to be 3 cells"),
        ("parameters,tokens,loss,flops\n1e6,1e7,3,much\n", 'line 2: flops "much" is no number'),
        ("parameters,tokens,loss,unique_tokens\n1e6,1e7,3,-5\n", "line 2: unique_tokens -5 is no number from 1 up"),
    ],
)
def test_what_is_wrong_is_said_with_its_file_and_line(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError) as refused:
        read_points(file(tmp_path, text))
    assert said in str(refused.value)
    assert "runs.csv" in str(refused.value)


def test_files_that_are_not_there_or_no_text_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="cannot be read"):
        read_points(str(tmp_path / "none.csv"))
    (tmp_path / "runs.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecipeError, match="cannot be read"):
        read_points(str(tmp_path / "runs.csv"))
