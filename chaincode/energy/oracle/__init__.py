"""Signed meter readings, carried to the ledger."""
