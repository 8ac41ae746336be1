"""What is private about a participant, and the one encoding its salted hash is over."""

import hashlib
import hmac
import re
from dataclasses import dataclass

from chaincode.energy import records
from chaincode.energy.arguments import bad

NAME_CHARACTERS_MAX = 128
EMAIL_CHARACTERS_MAX = 254
SALT_BYTES = 16
INDEX_KEY_BYTES = 32
_ATOM = r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+"
_MAILBOX = re.compile(rf"{_ATOM}(\.{_ATOM})*@[a-z0-9-]+(\.[a-z0-9-]+)+")


@dataclass(frozen=True, slots=True)
class Person:
    """Who is behind an IDgrid. `salt_hex`: 16 random bytes that keep the hash from guesses."""

    idgrid: str
    name: str
    email: str
    salt_hex: str


def person_hash(person: Person) -> str:
    """SHA-256 of the record as it is stored, in hex: what the public registry holds.

    It is also what the ledger publishes as the hash of the private value.
    """
    return hashlib.sha256(records.encode(person)).hexdigest()


def email_index(index_key: bytes, email: str) -> str:
    """HMAC-SHA256 of an e-mail address under the community's secret, in hex.

    Keys of private data are public as hashes; without the secret the addresses of a whole town
    could be tried.
    """
    return hmac.new(index_key, email.encode("utf-8"), hashlib.sha256).hexdigest()


def checked_name(value: str) -> str:
    """A printable name without spaces at its ends."""
    if not value or len(value) > NAME_CHARACTERS_MAX or not value.isprintable():
        bad(f"name must be printable and have 1 to {NAME_CHARACTERS_MAX} characters")
    if value != value.strip():
        bad("name begins or ends with a space")
    return value


def checked_email(value: str) -> str:
    """An address in lower case: two spellings of one address are one.

    ASCII only (other domains in their `xn--` form): the same letters in two Unicode forms
    would be two addresses.
    """
    lowered = value.lower()
    if len(lowered) > EMAIL_CHARACTERS_MAX or not (value.isascii() and value.isprintable()):
        bad(f"email must be ASCII and have at most {EMAIL_CHARACTERS_MAX} characters")
    if not is_mailbox(lowered):
        bad("email must have the form name@host.domain")
    return lowered


def is_mailbox(address: str) -> bool:
    """Whether a lower-case text is one mailbox as RFC 5321 writes it without quotes.

    Anything else is several addresses, none, or a text that writers of mail headers fail at.
    """
    return _MAILBOX.fullmatch(address) is not None
