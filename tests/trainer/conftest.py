"""Imports `trainer` before any test imports torch, so that torch's threads sleep while they wait: see its reason."""

import trainer  # noqa: F401
