"""A number that was found, and where it lies."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Interval:
    """What is expected, and where it lies with 95 % confidence, as far as the law holds that it comes from."""

    value: float
    low: float
    high: float
