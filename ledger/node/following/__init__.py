"""Blocks this peer missed, and peers that follow without a vote."""
