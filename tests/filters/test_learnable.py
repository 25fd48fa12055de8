import numpy as np

from filters.learnable import LEAST_SITES, PARTS, parts_of, too_few


def test_a_site_is_in_one_part_and_each_part_has_its_share_of_a_classs_sites() -> None:
    random = np.random.default_rng(0)
    sites = random.integers(0, 90, 600).astype(np.uint64)
    labels = (sites % 3 == 0).astype(np.int8)
    parts = parts_of(labels, sites, 0)
    for label in (0, 1):
        found = {site: set(parts[sites == site].tolist()) for site in np.unique(sites[labels == label])}
        assert all(len(numbers) == 1 for numbers in found.values())
        counts = np.bincount([numbers.pop() for numbers in found.values()], minlength=PARTS)
        assert counts.max() - counts.min() <= 1
    assert (parts_of(labels, sites, 1) != parts).any()


def test_sites_are_counted_and_not_their_pages() -> None:
    labels = np.repeat(np.array([1, 0], np.int8), 40)
    sites = np.concatenate([np.arange(40), 100 + np.arange(40) % (LEAST_SITES - 1)]).astype(np.uint64)
    sides = (sites % 2).astype(np.int64)
    assert too_few(labels, sides, sites, 1) == (0, "pages", LEAST_SITES - 1)
    sites[40:] = np.arange(100, 140)
    assert too_few(labels, sides, sites, 1) is None
    assert too_few(labels, np.zeros(80, np.int64), sites, 2) == (1, "positives", 0)
