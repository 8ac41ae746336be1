"""Snapshots of a ledger: made, checked against seals alone, turned into a data folder."""
