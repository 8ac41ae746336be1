"""Whose a way of signing in is: a household's, by its IDgrid, or the staff's.

The community's staff share one account; each person has passkeys of its own in it.
"""

STAFF = "manager"
"""The holder that is no household; IDgrids have no small letters."""


def idgrid_of(holder: str) -> str:
    """Whom an entry of the identity log is about; staff have no IDgrid."""
    return "" if holder == STAFF else holder
