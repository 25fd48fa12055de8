"""The page on a run: what is counted for it, what of it is shown, and the templates it is made of."""
