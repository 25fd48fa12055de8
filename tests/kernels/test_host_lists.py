import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kernels import host_lists

LABELS = st.text(alphabet="ab1-", min_size=1, max_size=3)
HOSTS = st.lists(LABELS, min_size=1, max_size=4).map(".".join)
LINES = st.one_of(HOSTS, st.text(alphabet="ab.A /#\r", max_size=4), st.just("x" * 254))


def is_plain(line: str) -> bool:
    labels = line.split(".")
    return len(line) <= 253 and all(label and set(label) <= set("abx1-") for label in labels)


@given(st.lists(LINES, max_size=8))
def test_lines_are_hashed_or_handed_back(lines: list[str]) -> None:
    data = "\n".join(lines).encode()
    # An end of a line may be Windows'.
    lines = [line.removesuffix("\r") for line in lines]
    hashes, others = host_lists.hash_lines(np.frombuffer(data, np.uint8))
    assert hashes.tolist() == host_lists.hash_strings([line for line in lines if is_plain(line)]).tolist()
    handed_back = [(number, data[start:end].decode()) for number, start, end in others.tolist()]
    assert handed_back == [(n, line) for n, line in enumerate(lines, start=1) if line and not is_plain(line)]


def is_in(host: str, domains: set[str]) -> bool:
    labels = host.split(".")
    if labels[-1].isdigit():
        return host in domains
    return any(".".join(labels[start:]) in domains for start in range(len(labels)))


@given(st.lists(HOSTS, max_size=6), st.lists(HOSTS, max_size=6))
def test_hosts_are_in_their_domains(hosts: list[str], listed: list[str]) -> None:
    hosts += [f"{host}{end}" for host in listed for end in ("", ".a")] + [f"{a}{host}" for host in listed for a in "a."]
    found = host_lists.hosts_in(hosts, np.sort(host_lists.hash_strings(listed)))
    assert found.tolist() == [is_in(host, set(listed)) for host in hosts]


def test_a_domain_has_its_subdomains_and_no_other() -> None:
    listed = np.sort(host_lists.hash_strings(["example.com", "192.0.2.1", "0.1", "2001:db8::1"]))
    hosts = ["example.com", "a.b.example.com", "notexample.com", "example.com.org", "com", ""]
    assert host_lists.hosts_in(hosts, listed).tolist() == [True, True, False, False, False, False]
    hosts = ["192.0.2.1", "9.192.0.2.1", "10.0.0.1", "2001:db8::1", "a.0.1", "x" * 300 + ".example.com"]
    assert host_lists.hosts_in(hosts, listed).tolist() == [True, False, False, True, False, True]


def starts_with(address: str, host: int, listed: list[str]) -> bool:
    for entry in listed:
        rest = address[len(entry) :]
        ends = not rest or rest[0] in "/?&;" or entry[-1] in "/?&;="
        if len(entry) >= host and address.startswith(entry) and ends:
            return True
    return False


RESTS = st.lists(st.sampled_from(["/", "?", "&", "=", "a", "b", "ü"]), max_size=6).map(
    lambda parts: "".join(["/", *parts])
)


@given(st.lists(st.tuples(HOSTS, RESTS), min_size=1, max_size=6), st.data())
def test_addresses_start_with_listed_ones(pages: list[tuple[str, str]], data: st.DataObject) -> None:
    addresses = [host + rest for host, rest in pages]
    cut = st.sampled_from(addresses).flatmap(lambda a: st.integers(1, len(a)).map(lambda n: a[:n]))
    listed = data.draw(st.lists(cut, max_size=5))
    longest = max((len(entry.encode()) for entry in listed), default=0)
    sizes = np.array([len(host) for host, _ in pages], np.int64)
    found = host_lists.addresses_in(addresses, sizes, np.sort(host_lists.hash_strings(listed)), longest)
    assert found.tolist() == [starts_with(a, len(host), listed) for a, (host, _) in zip(addresses, pages, strict=True)]
