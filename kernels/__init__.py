"""Compiled loops over the UTF-8 bytes of Arrow batches: what every document goes through."""
