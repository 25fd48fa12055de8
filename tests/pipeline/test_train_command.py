"""`crawlmill train`, `sample` and `export` as scripts use them: what they leave, what they say, how they exit."""

import io
import json
import shutil
import signal
import subprocess
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import pytest

from corpus import storage
from pipeline.cli import main
from tests.trainer import planted
from trainer import checkpoints
from trainer.log import TRAIN, rows

ROOT = Path(__file__).parents[2]
SMALL = ["model.layers=1", "model.width=16", "model.context=16", "batch=4", "steps=6", "checkpoints.every=2"]


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> str:
    return planted.write(tmp_path_factory.mktemp("tokens"))


def train(tokens: str, out: Path, *more: str, keys: list[str] = SMALL) -> list[str]:
    sets = [word for key in keys for word in ("--set", key)]
    return ["train", "--data", tokens, "--out", str(out), *sets, *more]


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


def go(words: list[str]) -> Done:
    """The command in this process, from the words to the exit code: starting Python and torch takes seconds."""
    out, err = io.StringIO(), io.StringIO()
    given = mock.patch.object(sys, "argv", ["crawlmill", *words])
    with redirect_stdout(out), redirect_stderr(err), given, pytest.raises(SystemExit) as ended:
        main()
    code = ended.value.code
    assert isinstance(code, int)
    return Done(code, out.getvalue(), err.getvalue())


@pytest.fixture(scope="module")
def trained(tokens: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run") / "gpt"
    done = go(train(tokens, out))
    assert done.returncode == 0, done.stderr
    assert "step 6/6" in done.stdout
    assert "bits per byte" in done.stdout
    return out


def test_a_run_leaves_its_result_and_doing_it_again_does_nothing(tokens: str, trained: Path) -> None:
    result = json.loads((trained / "result.json").read_text())
    assert result["steps"] == 6
    done = go(train(tokens, trained))
    assert done.returncode == 0, done.stderr
    assert "nothing to do" in done.stdout


def test_keys_come_from_a_file_and_the_command_line(tokens: str, tmp_path: Path) -> None:
    (tmp_path / "gpt.yaml").write_text("model: {layers: 1, width: 16, context: 16}\nbatch: 4\nsteps: 50\n")
    done = go(train(tokens, tmp_path / "gpt", "--config", str(tmp_path / "gpt.yaml"), "--seed", "3", keys=["steps=2"]))
    assert done.returncode == 0, done.stderr
    told = json.loads((tmp_path / "gpt/run.json").read_text())
    assert (told["config"]["steps"], told["config"]["model"]["width"], told["seed"]) == (2, 16, 3)


@pytest.mark.parametrize(
    ("keys", "more", "said"),
    [
        (["model.layer=2"], [], 'did you mean "layers"'),
        (["batch=100000"], [], "Lower the batch or the context"),
        (["micro_batch=3"], [], "micro_batch 3 does not divide the 8 rows"),
        (["model.heads=3"], [], "RoPE needs an even whole number per head"),
        ([], ["--out", "memory://x"], "--out memory://x: its files are renamed into place, which takes a local folder"),
        (
            [],
            ["--data", "memory://x"],
            "its files are mapped into memory, which takes a local folder",
        ),
        ([], ["--seed", "99999999999999999999"], "is not in the range"),
        ([], ["--data", "nowhere"], "nowhere has no manifest.json: no token shards were finished there"),
        ([], ["--out", __file__], "is a file; give a folder"),
        ([], ["--config", "nowhere.yaml"], "nowhere.yaml cannot be read"),
    ],
)
def test_what_cannot_run_is_refused_with_2(
    tokens: str, tmp_path: Path, keys: list[str], more: list[str], said: str
) -> None:
    done = go(train(tokens, tmp_path / "gpt", *more, keys=keys))
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "gpt/checkpoints").exists()


def test_a_flipped_byte_is_found_by_its_checksum_and_named(tokens: str, tmp_path: Path) -> None:
    folder = tmp_path / "tokens"
    shutil.copytree(tokens, folder)
    path = folder / "c4-00000.bin"
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)
    done = go(train(str(folder), tmp_path / "gpt"))
    assert done.returncode == 1
    assert "c4-00000.bin" in done.stderr
    assert "sha256" in done.stderr
    assert go(train(str(folder), tmp_path / "gpt", "--no-verify")).returncode == 0
    path.write_bytes(data[:-2])
    done = go(train(str(folder), tmp_path / "short", "--no-verify"))
    assert done.returncode == 1
    assert f"c4-00000.bin has {len(data) - 2:,} bytes; the manifest wants {len(data):,}" in done.stderr


def test_shards_of_another_vocabulary_do_not_go_on_with_a_run(tokens: str, trained: Path, tmp_path: Path) -> None:
    out = tmp_path / "gpt"
    shutil.copytree(trained, out)
    other = tmp_path / "tokens"
    shutil.copytree(tokens, other)
    manifest = storage.read_json(str(other / "manifest.json"))
    manifest["vocabulary_size"] = 30
    storage.write_json(str(other / "manifest.json"), manifest)
    done = go(train(str(other), out))
    assert done.returncode == 2
    assert "vocabulary_size: 24 there, 30 here" in done.stderr


def test_sigterm_leaves_a_checkpoint_and_exits_with_143(tokens: str, tmp_path: Path) -> None:
    long = [*SMALL[:4], "steps=100000", "checkpoints.every=100000"]
    out = tmp_path / "gpt"
    with subprocess.Popen(
        [sys.executable, "-m", "pipeline.cli", *train(tokens, out, keys=long)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        deadline = time.monotonic() + 120
        while not (out / TRAIN).exists() or not rows(out / TRAIN):
            assert time.monotonic() < deadline
            time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 143
    (left,) = checkpoints.every(out / "checkpoints")
    assert f"asked to stop: step {left.step} is saved" in " ".join(said.split())
    assert rows(out / TRAIN)[-1]["step"] == left.step


def test_a_second_run_in_the_same_folder_is_refused(tokens: str, tmp_path: Path) -> None:
    from corpus.lock import alone_in

    with alone_in(str(tmp_path / "gpt")):
        done = go(train(tokens, tmp_path / "gpt"))
    assert done.returncode == 2
    assert "another run is at work" in done.stderr


def test_without_a_model_there_is_nothing_to_sample_or_export(tmp_path: Path) -> None:
    for words in (["sample", str(tmp_path)], ["export", str(tmp_path), "--out", str(tmp_path / "hf")]):
        done = go(words)
        assert done.returncode == 1
        assert "is no checkpoint" in done.stderr


@pytest.mark.parametrize(
    ("more", "said"), [(["--temperature", "nan"], "--temperature is nan"), (["--prompt", "a\udcff"], "no UTF-8 text")]
)
def test_what_cannot_be_sampled_is_refused(trained: Path, more: list[str], said: str) -> None:
    done = go(["sample", str(trained), *more])
    assert done.returncode == 2
    assert said in done.stderr


def test_an_export_does_not_overwrite_a_checkpoint(trained: Path) -> None:
    last = checkpoints.every(trained / "checkpoints")[-1].folder
    before = (last / "model.safetensors").read_bytes()
    done = go(["export", str(trained), "--out", str(last)])
    assert done.returncode == 2
    assert "is a checkpoint" in done.stderr
    assert (last / "model.safetensors").read_bytes() == before
