"""Secrets that programs sign in with, as the settings files hold them."""

import secrets

TOKEN_BYTES = 24


def new_token() -> str:
    """A random one that fits addresses and headers."""
    return secrets.token_urlsafe(TOKEN_BYTES)
