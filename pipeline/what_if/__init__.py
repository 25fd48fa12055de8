"""`crawlmill what-if`: what other bounds would keep of a finished run."""
