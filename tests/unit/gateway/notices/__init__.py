"""Notices to households."""
