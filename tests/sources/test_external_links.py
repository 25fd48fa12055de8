"""The table `externallinks`: both schemas, every escape, and no dump that breaks off."""

import gzip
from pathlib import Path

import fsspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.external_links import external_links

OLD = ["el_id", "el_from", "el_to", "el_index", "el_index_60"]
NEW = ["el_id", "el_from", "el_to_domain_index", "el_to_path"]
HEAD, TAIL = "-- MySQL dump 10.19  Distrib 10.3\n\n", "\n-- Dump completed on 2026-01-02  3:04:05\n"


def create(columns: list[str], table: str = "externallinks") -> str:
    lines = "".join(f"  `{name}` varbinary(255) NOT NULL DEFAULT '',\n" for name in columns)
    keys = "  PRIMARY KEY (`el_id`),\n  KEY `el_from` (`el_from`)\n"
    return f"DROP TABLE IF EXISTS `{table}`;\nCREATE TABLE `{table}` (\n{lines}{keys}) ENGINE=InnoDB;\n"


def quoted(value: object) -> str:
    """A value as mysqldump writes it (mysql_real_escape_string)."""
    if value is None or isinstance(value, int | float):
        return "NULL" if value is None else str(value)
    for character, escape in ("\\", "\\\\"), ("\0", "\\0"), ("\n", "\\n"), ("\r", "\\r"), ("'", "\\'"), ('"', '\\"'):
        value = str(value).replace(character, escape)
    return f"'{value}'"


def insert(*rows: list[object], table: str = "externallinks") -> str:
    values = ",".join(f"({','.join(map(quoted, row))})" for row in rows)
    return f"INSERT INTO `{table}` VALUES {values};\n"


def read(path: Path, sql: str | bytes) -> list[str]:
    path.write_bytes(sql if isinstance(sql, bytes) else sql.encode())
    return list(external_links(str(path)))


texts = st.text(st.sampled_from("aZ0/.:é日'\"\\\n\r\0\x1a(),; -#%&"), max_size=20)


@given(st.lists(st.tuples(texts, texts), min_size=1, max_size=5))
def test_urls_come_back_as_they_went_in(rows: list[tuple[str, str]]) -> None:
    sql = (
        HEAD + create(OLD) + insert(*([n, -2.5, f"h{url}", other, None] for n, (url, other) in enumerate(rows))) + TAIL
    )
    with fsspec.open("memory://test-external-links/old.sql", "wb") as file:
        file.write(sql.encode())
    assert list(external_links("memory://test-external-links/old.sql")) == [f"h{url}" for url, _ in rows]


@pytest.mark.parametrize(
    ("index", "path", "url"),
    [
        ("https://com.example.www.", "/a?b=it's),(1,2,'x'", "https://www.example.com/a?b=it's),(1,2,'x'"),
        ("http://org.example.:8080", None, "http://example.org:8080"),
        ("http://V4.192.168.0.1.", "/a", "http://192.168.0.1/a"),
        ("https://V6.2001.DB8.0.0.0.0.0.1.", "/", "https://[2001:DB8:0:0:0:0:0:1]/"),
        ("http://localhost.", "/", "http://localhost/"),
        ("", "", ""),
    ],
)
def test_a_host_in_reverse_is_turned_round(tmp_path: Path, index: str, path: str | None, url: str) -> None:
    assert read(tmp_path / "new.sql", HEAD + create(NEW) + insert([1, 2, index, path]) + TAIL) == [url]


def test_columns_go_by_name_and_other_tables_are_left_alone(tmp_path: Path) -> None:
    moved = ["el_index", "el_to", "el_from"]
    sql = (
        HEAD
        + create(["page_id", "el_to"], "page")
        + insert([1, "http://not.example"], table="page")
        + create(moved)
        + insert(["x", "http://a.example", 1], ["y", "http://b.example", 2])
        + "INSERT INTO `externallinks` (`el_from`, `el_to`) VALUES (3,'http://c.example'), (4,_binary 'http://d.example');\n"
        + create(["el_to"], "pagelinks")
        + TAIL
    )
    letters = "abcd"
    assert read(tmp_path / "x.sql", sql) == [f"http://{letter}.example" for letter in letters]
    (tmp_path / "x.sql.gz").write_bytes(gzip.compress(sql.encode()))
    assert len(list(external_links(str(tmp_path / "x.sql.gz")))) == 4


def test_with_both_schemas_the_whole_url_goes_first(tmp_path: Path) -> None:
    sql = create(["el_to", *NEW[2:]]) + insert(["", "http://org.a.", "/x"], ["http://b.org/y", "", ""])
    assert read(tmp_path / "x.sql", sql) == ["http://a.org/x", "http://b.org/y"]


def test_rows_may_have_a_line_each(tmp_path: Path) -> None:
    rows = insert(*([n, 1, f"http://{n}.example/),\n", "", ""] for n in range(3)))
    spread = rows.replace("VALUES ", "VALUES\n").replace("),(", "),\n(")
    sql = HEAD + create(OLD) + spread + spread + create(["el_to"], "page") + TAIL
    assert sql.count("\n(") == 6
    assert read(tmp_path / "x.sql", sql) == [f"http://{n}.example/),\n" for n in (0, 1, 2)] * 2
    for end in "VALUES\n", "''),\n", "''),":
        with pytest.raises(ValueError, match=r'x\.sql breaks off: it has no ";"'):
            read(tmp_path / "x.sql", (create(OLD) + spread).rpartition(end)[0] + end)


def test_bytes_that_are_no_utf8_stay_what_they_are(tmp_path: Path) -> None:
    sql = (create(OLD) + insert([1, 1, "http://a.example/XX", "", ""])).encode().replace(b"XX", b"\xe9%\xc3\xa9")
    assert read(tmp_path / "x.sql", sql) == ["http://a.example/%E9%%C3%A9"]


ROWS = insert(*([n, 1, f"http://{n}.example/\\'", "", ""] for n in range(200)))
WHOLE = HEAD + create(OLD) + ROWS + ROWS + TAIL


@pytest.mark.parametrize("cut", [5, 60, 3000, 9000, len(WHOLE) - 60, len(WHOLE) - 30])
def test_a_dump_cut_short_is_an_error_after_the_rows_before_it(tmp_path: Path, cut: int) -> None:
    found: list[str] = []
    for data in WHOLE[:cut].encode(), gzip.compress(WHOLE.encode(), 1)[: cut // 20]:
        (tmp_path / "x.sql").write_bytes(data)
        with pytest.raises(ValueError, match=r"x\.sql.*(fetch|breaks off)"):
            found.extend(external_links(str(tmp_path / "x.sql")))
    assert found == [f"http://{n % 200}.example/\\'" for n in range(len(found))]


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        (HEAD + create(["a"], "page") + TAIL, "has no table externallinks; fetch the file"),
        (
            create(["el_id", "el_from"]) + insert([1, 2]),
            r"line 8: externallinks has el_id, el_from, and its URLs are in",
        ),
        (insert([1, 2]), "externallinks has no columns"),
        (
            create(NEW) + insert([1, 2, "http://org.a.", "/"], [1, 2]),
            r"line 10, byte 61: no row of 4 values.*'\(1,2\);'",
        ),
        (create(NEW) + "INSERT INTO `externallinks` VALUES (1,2,'a','b')x(1,2,'a','b');\n", "no row of 4 values"),
        (create(NEW) + "INSERT INTO `externallinks` VALUES (1,2,'a','b'), x (1,2,'a','b');\n", "no row of 4 values"),
    ],
)
def test_what_is_no_such_table_says_where_and_why(tmp_path: Path, sql: str, message: str) -> None:
    with pytest.raises(ValueError, match=rf"x\.sql.*{message}"):
        read(tmp_path / "x.sql", sql)
