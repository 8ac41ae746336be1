"""What opens or signs something is in no table of the gateway's: a hash of it is, or nothing.

Columns that sound like a secret are listed with how they are kept; a new one has to be decided on.
"""

import re

from gateway.database import declarations
from gateway.hems import tables as hems_tables
from gateway.identity import tables as identity_tables
from gateway.identity.ending import EVERYTHING
from gateway.notices import tables as notice_tables
from gateway.readmodel import tables as readmodel_tables
from gateway.shared_state import tables as shared_tables

DECLARING = (hems_tables, identity_tables, notice_tables, readmodel_tables, shared_tables)
SOUNDS_SECRET = re.compile(r"secret|password|passwd|token|code|private|scrypt|seed|pem|key")
HARMLESS = re.compile(r"utoken|key_fingerprint$")
KEPT = {
    "hems_device_codes.code_hash": "hash",
    "identity_challenges.challenge_hash": "hash",
    "identity_key_requests.certificate_pem": "public",
    "identity_key_requests.request_pem": "public",
    "identity_key_requests.secret_hash": "hash",
    "identity_letters.code_hash": "hash",
    "identity_passkeys.public_key": "public",
    "identity_passwords.scrypt": "salted scrypt",
    "identity_sessions.passkey_id": "public",
    "identity_sessions.token_hash": "hash",
    "shared_answered.key_digest": "hash",
    "shared_api_tokens.token_hash": "hash",
    "shared_api_tokens.token_id": "public",
    "transactions.chaincode": "public",
    "transactions.code": "public",
    "world_state.key": "public",
}
HASHED = re.compile(r"(?:_hash|_digest)$")


def columns() -> dict[str, type]:
    assert all(DECLARING)
    return {
        f"{table.name}.{column.name}": column.type.python_type
        for table in declarations.Base.metadata.sorted_tables
        for column in table.columns
    }


def test_every_column_that_sounds_like_a_secret_is_decided_on() -> None:
    sounding = {
        name
        for name in columns()
        if SOUNDS_SECRET.search(name.partition(".")[2]) and not HARMLESS.search(name)
    }
    assert sounding - set(KEPT) - webpush(sounding) == set(), "say in KEPT how it is kept"
    assert set(KEPT) - set(columns()) == set()


def test_what_is_kept_as_a_hash_is_named_and_typed_so() -> None:
    for name, how in KEPT.items():
        assert (how == "hash") == bool(HASHED.search(name)), name
        if how == "hash":
            assert columns()[name] is bytes, name


def test_whatever_sends_a_household_s_notices_elsewhere_ends_with_a_recovery() -> None:
    elsewhere = {
        name.partition(".")[0] for name in columns() if name.endswith((".url", ".endpoint"))
    }
    assert elsewhere <= {table.__tablename__ for _, table in EVERYTHING}


def webpush(names: set[str]) -> set[str]:
    """A browser's keys of Web Push are public, or its own, made to be given to the sender."""
    return {name for name in names if name.startswith("notices_push")}
