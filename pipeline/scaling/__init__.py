"""`crawlmill scaling`: how large a model should be, by a law fitted to small runs."""
