"""`crawlmill proxies`: mixtures proven by many small training runs."""
