"""crawlmill beside its peers, on the same pages in the same run: `python -m benchmarks`. Not installed."""
