"""`crawlmill inspect`: documents of a finished run, and what became of each."""
