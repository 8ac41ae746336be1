"""Changing a running channel: its configuration read, proposals signed and handed in."""
