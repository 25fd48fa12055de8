import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from pipeline.cli import cli, main

ROOT = Path(__file__).parents[2]


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


ALL = list(commands(cli))


def crawlmill(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pipeline.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=120, check=False)


@pytest.mark.parametrize(("path", "command"), ALL, ids=[" ".join(path) for path, _ in ALL])
def test_every_command_is_documented_with_an_example_that_parses(path: tuple[str, ...], command: click.Command) -> None:
    assert f"crawlmill {' '.join(path)}" in (ROOT / "README.md").read_text()
    example = re.search(r"Example:\n\s+crawlmill (.+)", command.epilog or "")
    assert example, "every command's help has an example"
    arguments = example[1].split()[len(path) :]
    command.make_context(path[-1], arguments)
    for option in command.params:
        assert isinstance(option, click.Argument) or getattr(option, "help", None), option.name


def test_help_shows_the_example() -> None:
    assert "crawlmill run recipes/pages.yaml" in CliRunner().invoke(cli, ["run", "--help"]).output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "nowhere.yaml"], "nowhere.yaml cannot be read"),
        (["run"], "Missing argument"),
        (["run", "recipes/pages.yaml", "--set", "sources.web.paths=nowhere/*"], "no file matches"),
        (["run", "recipes/pages.yaml", "--set", "proxy.stepz=1"], 'did you mean "steps"'),
        (["run", "recipes/pages.yaml", "--workers", "-1"], "--workers"),
        (["fetch", "CC-2026", "--out", "x"], "CC-MAIN-YYYY-WW"),
        (["crawl-docs", "--out", "x", "--package", "nowhere"], "there is no module 'nowhere'"),
        (["report", "nowhere"], "not the folder of a finished run"),
        (["rnu"], "rnu"),
    ],
)
def test_a_command_that_cannot_run_exits_with_2_and_writes_nothing(
    arguments: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if arguments[1:2] == ["recipes/pages.yaml"]:
        arguments = ["run", str(ROOT / "recipes/pages.yaml"), *arguments[2:]]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["crawlmill", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    errors = capsys.readouterr().err
    assert said in errors
    assert "Traceback" not in errors
    assert list(tmp_path.iterdir()) == []


def test_a_run_prints_the_numbers_of_its_summary(small_recipe: Callable[..., str], tmp_path: Path) -> None:
    recipe = small_recipe()
    done = crawlmill("run", recipe, "--workers", "0", "--out", str(tmp_path / "run"))
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / "run/summary.json").read_text())
    web = summary["sources"]["web"]
    assert re.search(rf"web +│ +{web['read']} │ +{web['kept']} │ +{sum(web['dropped'].values())} │ +1 │", done.stdout)
    for reason, count in web["dropped"].items():
        assert re.search(rf"{reason} │ +{count} │", done.stdout)
    assert "is unreadable" in done.stdout
    again = CliRunner().invoke(cli, ["run", recipe, "--workers", "0", "--out", str(tmp_path / "run")])
    assert again.exit_code == 0
    assert "Nothing to do" in again.stdout


def test_crawl_docs_then_run(tmp_path: Path) -> None:
    # Fewer pages are too few to learn from, by how their hashes happen to fall.
    packages = [word for name in ("json", "email", "asyncio", "unittest") for word in ("--package", name)]
    done = crawlmill("crawl-docs", "--out", str(tmp_path / "crawl"), "--pages", "60", *packages)
    assert done.returncode == 0, done.stderr
    pages = int(done.stdout.split(" pages")[0].split()[-1])
    paths = f"sources.docs.paths={tmp_path}/crawl/*.warc.gz"
    reference = f"{tmp_path}/crawl/reference.jsonl.gz"
    overrides = [paths, f"sources.language_reference.paths={reference}", "proxy=null", "tokens.tokenizer.train=600"]
    overrides += [f"sources.docs.reference.positives.paths={reference}"]
    sets = [word for override in overrides for word in ("--set", override)]
    done = crawlmill("run", "recipes/demo.yaml", "--workers", "0", "--out", str(tmp_path / "run"), *sets)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "run/summary.json").read_text())["sources"]["docs"]["read"] == pages


def test_starting_the_command_line_loads_nothing_that_only_some_commands_need() -> None:
    heavy = ("scipy.stats", "scipy.optimize", "sklearn", "matplotlib", "torch", "ray", "fasttext")
    code = f"import sys, pipeline.cli; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
