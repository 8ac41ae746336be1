"""Reading contract arguments: every text from outside is checked before it is used."""

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any, NoReturn

from chaincode.energy import idgrid as idgrid_form
from chaincode.energy.errors import Refusal, refused

AMOUNT_UTOKEN_MAX = 10**18
PRICE_UTOKEN_PER_KWH_MAX = 10**15
ENERGY_WH_MAX = 10**12
_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")
_SHA256_HEX = re.compile(r"[0-9a-f]{64}")
_FRACTION = re.compile(r"[0-9]{1,6}(/[0-9]{1,6})?")
_TEXT_CHARACTERS_MAX = 128


def identifier(value: str, what: str) -> str:
    """An id of letters, digits and `._:-`, at most 64 characters."""
    if _IDENTIFIER.fullmatch(value) is None:
        bad(f"{what} must be 1 to 64 letters, digits or ._:-")
    return value


def identifier_of(value: object, what: str) -> str:
    """Like `identifier`, for a member of a JSON object."""
    if not isinstance(value, str):
        bad(f"{what} must be a text")
    return identifier(value, what)


def idgrid(value: str) -> str:
    """A well-formed IDgrid."""
    problem = idgrid_form.problem_with(value)
    if problem is not None:
        bad(f"idgrid: {problem}")
    return value


def positive(value: int, what: str, *, at_most: int) -> int:
    """A whole number from 1 to `at_most`."""
    if value <= 0:
        raise refused(Refusal.NOT_POSITIVE, f"{what} is {value}")
    if value > at_most:
        bad(f"{what} is greater than {at_most}")
    return value


def not_negative(value: int, what: str, *, at_most: int) -> int:
    """A whole number from 0 to `at_most`."""
    if not 0 <= value <= at_most:
        bad(f"{what} must be between 0 and {at_most}")
    return value


def salted_hash(value: str, what: str) -> str:
    """A SHA-256 in lower-case hex."""
    if _SHA256_HEX.fullmatch(value) is None:
        bad(f"{what} must be 64 hexadecimal digits")
    return value


def one_of(value: object, what: str, allowed: tuple[str, ...]) -> str:
    """One of a few words."""
    if not isinstance(value, str) or value not in allowed:
        bad(f"{what} must be one of {', '.join(allowed)}")
    return value


def short_text(value: str, what: str) -> str:
    """Printable text of at most 128 characters, may be empty."""
    if len(value) > _TEXT_CHARACTERS_MAX or not value.isprintable():
        bad(f"{what} must be printable and at most {_TEXT_CHARACTERS_MAX} characters")
    return value


def fraction(value: object, what: str) -> str:
    """A fraction from 0 to 1 such as `1/2`, returned in lowest terms."""
    if not isinstance(value, str) or _FRACTION.fullmatch(value) is None:
        bad(f"{what} must be a fraction such as 1/2")
    numerator, _, denominator = value.partition("/")
    if int(denominator or 1) == 0 or int(numerator) > int(denominator or 1):
        bad(f"{what} must be between 0 and 1")
    return str(Fraction(value))


def checked_list(value: list[Any], what: str, *, at_most: int) -> list[Any]:
    """A list with 1 to `at_most` entries."""
    if not 1 <= len(value) <= at_most:
        bad(f"{what} must be a list of 1 to {at_most} entries")
    return value


def checked_object(value: Any, what: str, known: frozenset[str]) -> dict[str, Any]:
    """`value` as an object with no member outside `known`."""
    if not isinstance(value, dict):
        bad(f"{what} must be a JSON object")
    unknown = sorted(set(value) - known)
    if unknown:
        bad(f"{what} has an unknown member {unknown[0][:_TEXT_CHARACTERS_MAX]!r}")
    return value


def number_in(members: Mapping[str, object], name: str, default: int | None = None) -> int:
    """A whole number member; `default` if absent, refused if there is no default."""
    if name not in members and default is not None:
        return default
    value = members.get(name)
    if isinstance(value, bool) or not isinstance(value, int):
        bad(f"{name} must be a whole number")
    return value


def truth_in(members: Mapping[str, object], name: str, *, default: bool) -> bool:
    """A true or false member; `default` if absent."""
    value = members.get(name, default)
    if not isinstance(value, bool):
        bad(f"{name} must be true or false")
    return value


def text_in(members: Mapping[str, object], name: str, default: str | None = None) -> str:
    """A text member; `default` if absent, refused if there is no default."""
    value = members.get(name, default)
    if not isinstance(value, str):
        bad(f"{name} must be a text")
    return value


def bad(detail: str) -> NoReturn:
    """Refuse the transaction for a bad argument."""
    raise refused(Refusal.INVALID_ARGUMENT, detail)
