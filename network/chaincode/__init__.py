"""Chaincodes onto a channel: packaged, installed, approved, committed, tried."""
