"""One transaction's reads with versions and writes kept aside, within its limits."""
