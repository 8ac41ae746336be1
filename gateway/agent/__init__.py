"""Household agents: they hold their own keys and trade through the gateway."""
