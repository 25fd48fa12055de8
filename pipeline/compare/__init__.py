"""`crawlmill report --against`: two runs held against each other."""
