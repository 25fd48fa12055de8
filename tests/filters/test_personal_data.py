import gzip
import json
from pathlib import Path

import pytest

from filters import rules
from kernels.texts import Texts

PAGE = """Contact: Jo Doe, jo.doe@example.com or info@example.org.
Tel. +49 (0)30 123 456-78, fax (030) 123 45 67
The server was 91.198.174.192 (not 10.0.0.1), the card 4111 1111 1111 1111, the day 2012-01-02.
"""


def test_counts_and_placeholders() -> None:
    families = rules.resolve(["personal_data"])
    columns, texts = rules.measure(Texts.of([PAGE, "Nothing."]), families)
    assert {name: column.tolist() for name, column in columns.items()} == {
        "personal_data_emails": [2, 0],
        "personal_data_ips": [1, 0],
        "personal_data_phones": [2, 0],
        "personal_data_cards": [1, 0],
    }
    assert texts.to_list() == [
        "Contact: Jo Doe, [email] or [email].\nTel. [phone], fax [phone]\n"
        "The server was [ip] (not 10.0.0.1), the card [card], the day 2012-01-02.\n",
        "Nothing.",
    ]


@pytest.mark.parametrize("kinds", ["ip", ["ip"], ["phone", "card"], []])
def test_a_subset_is_replaced_and_all_are_counted(kinds: str | list[str]) -> None:
    columns, texts = rules.measure(Texts.of([PAGE]), rules.resolve([{"personal_data": {"replace": kinds}}]))
    assert [column.tolist() for column in columns.values()] == [[2], [1], [2], [1]]
    [text] = texts.to_list()
    for kind, n in {"email": 2, "ip": 1, "phone": 2, "card": 1}.items():
        wanted = kind in ([kinds] if isinstance(kinds, str) else kinds)
        assert text.count(f"[{kind}]") == (n if wanted else 0)
    assert kinds != [] or text == PAGE


def test_an_unknown_kind_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="personal_data: replace: no kind 'mail'; known are email, ip, phone, card"):
        rules.resolve([{"personal_data": {"replace": ["ip", "mail"]}}])
    with pytest.raises(ValueError, match="replace must be a string or a list of strings"):
        rules.resolve([{"personal_data": {"replace": 3}}])


def test_rules_are_off_until_a_bound_is_set() -> None:
    assert rules.rule_names(rules.resolve(["personal_data"])) == []
    families = rules.resolve([{"personal_data": {"max_phones": 1, "max_emails": 2}}])
    columns, _ = rules.measure(Texts.of([PAGE, "Tel. 030 123456"]), families)
    verdicts = rules.judge(families, columns, 2)
    assert rules.reasons(families, verdicts, columns).to_pylist() == ["personal_data_too_many_phones", None]


def test_the_families_after_it_see_the_placeholders_as_text() -> None:
    families = rules.resolve(["personal_data", {"c4": {"min_words_per_line": 1}}])
    _, texts = rules.measure(Texts.of(["Write to jo@example.com today.\nOr call +49 30 1234567."]), families)
    assert texts.to_list() == ["Write to [email] today.\nOr call [phone]."]


def test_a_second_pass_over_real_pages_changes_nothing(shared_data: Path) -> None:
    with gzip.open(shared_data / "pages/ground_truth.jsonl.gz", "rt", encoding="utf-8") as file:
        pages = [json.loads(line)["text"] for line in file][::3]
    families = rules.resolve(["personal_data"])
    columns, once = rules.measure(Texts.of(pages), families)
    assert all(
        column.sum() > 0 for name, column in columns.items() if name in ("personal_data_emails", "personal_data_phones")
    )
    again, twice = rules.measure(once, families)
    assert not any(column.any() for column in again.values())
    assert twice.to_list() == once.to_list()
