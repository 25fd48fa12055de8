# Two commands do everything on a fresh machine: make demo, make test. Both make .venv first.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test bench check clean

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[dev]"
	touch .venv/installed

# Crawl the documentation of the packages just installed, and make a corpus, token shards and a model of it.
demo: .venv/installed demo/crawl/reference.jsonl.gz
	$(BIN)/crawlmill run recipes/demo.yaml --out demo/run

# The crawl writes this file last.
demo/crawl/reference.jsonl.gz: | .venv/installed
	$(BIN)/crawlmill crawl-docs --out demo/crawl

# Where it is set, each of the hundreds of processes that tests start would compile every source anew.
unexport PYTHONDONTWRITEBYTECODE

# More processes than cores: half of the tests wait for processes of their own. Neighbours stay in one process, since
# they share what takes long to make; who is done takes from the others.
test: .venv/installed
	$(BIN)/python -m pytest -q -n 4 --dist worksteal

# crawlmill beside datatrove and plain libraries on the same pages: about half an hour, no network once the peers are
# installed. Appends its tables to docs/benchmarks.md. Fewer parts: make bench ARGS="--part rules --part end-to-end".
bench: .venv/bench $(if $(wildcard ../shared/data/pages/*.warc.gz),,demo/crawl/reference.jsonl.gz)
	$(BIN)/python -m benchmarks $(ARGS)

.venv/bench: .venv/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[bench]"
	touch .venv/bench

check: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m mypy

clean:
	rm -rf .venv demo
