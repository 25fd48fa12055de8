"""`crawlmill report --open`: which page the browser is asked for."""

import webbrowser
from pathlib import Path

import pytest
from click.testing import CliRunner

from corpus import storage
from corpus.strict import RecipeError
from pipeline.report import command, page


def test_any_name_of_a_folder_reaches_the_browser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    monkeypatch.setattr(page, "write", lambda root, _: storage.join(root, "report.html"))
    root = tmp_path / "run #1 of 50%"
    root.mkdir()
    (root / "summary.json").write_text('{"sources": {}, "steps": {}}')
    assert CliRunner().invoke(command.command, [str(root), "--open"]).exit_code == 0
    assert opened == [f"file://{tmp_path}/run%20%231%20of%2050%25/report.html"]


def test_what_is_on_no_disk_is_refused_before_a_page_is_written() -> None:
    storage.write_bytes("memory://far/summary.json", b'{"sources": {}, "steps": {}}')
    done = CliRunner().invoke(command.command, ["memory://far", "--open"])
    assert done.exit_code == 2
    assert "is on no disk of this machine" in " ".join(done.output.split())
    assert not storage.exists("memory://far/report.html")


@pytest.mark.parametrize("written", ["{", "{}", "[]"])
def test_what_is_no_summary_is_refused_by_its_name(written: str, tmp_path: Path) -> None:
    (tmp_path / "summary.json").write_text(written)
    done = CliRunner().invoke(command.command, [str(tmp_path)])
    assert isinstance(done.exception, RecipeError)
    assert f"{tmp_path}/summary.json is no" in str(done.exception)
