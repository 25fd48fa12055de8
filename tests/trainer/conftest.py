"""Imports `trainer` before any test imports torch, so that torch's threads sleep while they wait: see its reason."""

import pytest

import trainer  # noqa: F401
from tests.trainer import planted


@pytest.fixture(scope="session")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder of planted token shards, not to be changed."""
    return planted.write(tmp_path_factory.mktemp("tokens"))
