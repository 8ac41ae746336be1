"""Bilateral trade: one household posts an offer or a request, another takes it."""
