"""The oracle node: signed meter readings onto the ledger."""
