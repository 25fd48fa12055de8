import ipaddress
import random
import re

import pytest

pytest.importorskip("datatrove", reason='needs datatrove: pip install "crawlmill[datatrove]"')

from benchmarks import personal_data
from benchmarks.personal_data import DECOYS, PLANTED, crawlmill, made, planted, share

HOSTS = [f"The mill number {n} lies by the river and nobody has lived in it since the war. " * 2 for n in range(40)]


def test_what_is_made_is_what_it_is_called() -> None:
    luck = random.Random(1)
    for _ in range(200):
        assert ipaddress.ip_address(made(PLANTED["IPv4"], luck)).is_global
        assert ipaddress.ip_address(made(PLANTED["IPv6"], luck)).is_global
        card = re.sub("[ -]", "", made(PLANTED["card"], luck))
        assert len(card) in (15, 16)
        assert sum(sum(divmod(int(d) * (1 + k % 2), 10)) for k, d in enumerate(reversed(card))) % 10 == 0
        assert not re.search(r"[#*^=]", made(PLANTED["e-mail"], luck))


def test_one_is_planted_in_every_text() -> None:
    rows = planted(PLANTED["e-mail"], HOSTS, random.Random(0))
    assert len(rows) == len(HOSTS)
    for host, (before, word, it, after) in zip(HOSTS, rows, strict=True):
        assert word == ""
        assert "@" in it
        assert re.sub(r"[ (.,)]", "", before + after) == re.sub(r"[ (.,)]", "", host)


def test_shares_are_of_the_bytes_that_come_out() -> None:
    def nothing(texts: list[str]) -> list[str]:
        return list(texts)

    def all_but_a_byte(texts: list[str]) -> list[str]:
        return [text.replace("river", "rivers", 1) for text in crawlmill(texts)]

    template = PLANTED["e-mail"]
    for side, found, kept in ((crawlmill, 1.0, 1.0), (nothing, 0.0, 1.0), (all_but_a_byte, 0.0, 0.0)):
        assert share(side, template, HOSTS, random.Random(0), stays=False) == found  # type: ignore[arg-type]
        assert share(side, DECOYS["ISBN, ISSN, EAN"], HOSTS, random.Random(0), stays=True) == kept  # type: ignore[arg-type]


def test_the_same_seed_plants_the_same() -> None:
    for template in (*PLANTED.values(), *DECOYS.values()):
        assert planted(template, HOSTS, random.Random(personal_data.SEED)) == planted(template, HOSTS, random.Random(0))
