"""Household side: profiles, virtual meters."""
