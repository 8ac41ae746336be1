"""IDgrid: the name under which a grid connection trades, unique and never given twice.

Form: `COMMUNITY-NUMBER-C`, for example `VAL-0017-X`. COMMUNITY is 2 to 8 upper-case letters or
digits beginning with a letter, NUMBER 4 to 12 upper-case letters or digits, C one check
character by ISO/IEC 7064 MOD 37,36 over both parts. It is short enough to be read over the
telephone: one wrong character, or two neighbours swapped, almost never gives another valid IDgrid.
There is one spelling only; lower case and missing hyphens are refused, not corrected.
"""

import re
import string

_ALPHABET = string.digits + string.ascii_uppercase
_VALUE = {character: value for value, character in enumerate(_ALPHABET)}
_BODY_FORM = r"[A-Z][A-Z0-9]{1,7}-[A-Z0-9]{4,12}"
FORM = rf"{_BODY_FORM}-[A-Z0-9]"
"""As a regular expression, for finding one inside a name; the check character is not proved."""
_BODY = re.compile(_BODY_FORM)
_FULL = re.compile(rf"({_BODY_FORM})-([A-Z0-9])")
_MODULUS = 36

GROUP_PREFIX = "vpp:"
"""What the id of a group begins with; no IDgrid has a colon."""


def check_character(body: str) -> str:
    """The check character for `COMMUNITY-NUMBER`; hyphens do not count.

    Raises `ValueError` if the body does not have this form.
    """
    if _BODY.fullmatch(body) is None:
        raise ValueError(f"{body!r} is not of the form COMMUNITY-NUMBER")
    product = _MODULUS
    for character in body.replace("-", ""):
        total = (product + _VALUE[character]) % _MODULUS or _MODULUS
        product = 2 * total % (_MODULUS + 1)
    return _ALPHABET[(_MODULUS + 1 - product) % _MODULUS]


def with_check_character(body: str) -> str:
    """`VAL-0017` -> the full IDgrid. Raises `ValueError` for a malformed body."""
    return f"{body}-{check_character(body)}"


def problem_with(idgrid: str) -> str | None:
    """Why a text is not an IDgrid, as one sentence; None if it is one."""
    match = _FULL.fullmatch(idgrid)
    if match is None:
        return "an IDgrid has the form COMMUNITY-NUMBER-C, for example VAL-0017-X"
    if check_character(match[1]) != match[2]:
        return "the check character does not fit: one character was mistyped"
    return None
