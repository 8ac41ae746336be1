"""Which configuration may follow which: one validator at a time, never below what is safe."""

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ledger.crypto.certificates import parse_certificate
from ledger.crypto.config_rules import changed_validators, check_successor
from ledger.crypto.pinned_tls import pinned_name, tls_authority
from ledger.crypto.signing import generate_key
from ledger.errors import InvalidMessage, Reason
from ledger.model.codec_block import BLOCK_TRANSACTIONS_MAX
from ledger.model.config import (
    ABSOLUTE_BYTES_MAX,
    ABSOLUTE_BYTES_MIN,
    APPLICATION,
    BLOCK_BYTES_MAX,
    BLOCK_BYTES_MIN,
    BLOCK_INTERVAL_MS_MAX,
    BLOCK_VALIDATION_POLICY,
    VALIDATORS_MIN,
    BatchLimits,
    ChannelConfig,
    Consenter,
    block_validation_policy,
)
from tests.support.identities import CHANNEL_ID, COOPERATIVE, UTILITY, consortium

CONFIG = consortium().config


def with_consenters(*consenters: Consenter, **changes: object) -> ChannelConfig:
    """The configuration with these validators and the policy that follows from them."""
    policies = {
        **CONFIG.policies,
        BLOCK_VALIDATION_POLICY: block_validation_policy(consenters),
    }
    return replace(CONFIG, consenters=consenters, policies=policies, **changes)


def another(consenter_id: int, mspid: str = COOPERATIVE, **changes: object) -> Consenter:
    """A validator with keys of its own."""
    authority = consortium().member(mspid).authority
    tls = authority.issue_tls(f"peer{consenter_id}", now=consortium().created).certificate_pem
    node = authority.issue_node(f"peer{consenter_id}", now=consortium().created)
    made = Consenter(
        consenter_id=consenter_id,
        host="127.0.0.1",
        port=20_000 + consenter_id,
        mspid=mspid,
        identity_pem=node.certificate_pem,
        client_tls_cert=tls,
        server_tls_cert=tls,
    )
    return replace(made, **changes)


FIFTH = another(5)
FIVE = with_consenters(*CONFIG.consenters, FIFTH)
FOUR_AGAIN = with_consenters(*CONFIG.consenters, removed_consenter_id=5)


def refusal(
    new: ChannelConfig, old: ChannelConfig = CONFIG, minimum: int = VALIDATORS_MIN
) -> Reason:
    with pytest.raises(InvalidMessage) as refused:
        check_successor(old, new, validators_min=minimum)
    return refused.value.reason


def rotated(**changes: object) -> ChannelConfig:
    """The last validator with other facts."""
    *others, last = CONFIG.consenters
    return with_consenters(*others, replace(last, **changes))


# -- what is allowed ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (CONFIG, FIVE),
        (FIVE, FOUR_AGAIN),
        (CONFIG, rotated(identity_pem=another(9, UTILITY).identity_pem)),
        (CONFIG, rotated(host="peer.example", port=1)),
        (CONFIG, replace(CONFIG, batch_limits=BatchLimits(max_transactions=7))),
        (CONFIG, replace(CONFIG, acls={"qscc/GetChainInfo": f"{APPLICATION}/Readers"})),
        (FOUR_AGAIN, with_consenters(*CONFIG.consenters, another(6), removed_consenter_id=5)),
    ],
    ids=["added", "removed", "key rotated", "moved", "limits", "acl", "next number"],
)
def test_what_may_follow(old: ChannelConfig, new: ChannelConfig) -> None:
    check_successor(old, new, validators_min=VALIDATORS_MIN)


def test_renewed_certificates_of_the_same_keys_are_no_change_of_validators() -> None:
    later = consortium().created + timedelta(days=1)
    renewed = []
    for member, consenter in zip(consortium().members, CONFIG.consenters, strict=True):
        pem = member.authority.renew(consenter.identity_pem, now=later)
        assert pem != consenter.identity_pem
        renewed.append(replace(consenter, identity_pem=pem))
    new = with_consenters(*renewed)
    assert changed_validators(CONFIG, new) == ()
    check_successor(CONFIG, new, validators_min=VALIDATORS_MIN)


def test_a_development_channel_may_be_small() -> None:
    *others, last = CONFIG.consenters
    three = with_consenters(*others, removed_consenter_id=last.consenter_id)
    check_successor(CONFIG, three, validators_min=3)


# -- validators -----------------------------------------------------------------------------------


def test_two_changes_at_once() -> None:
    assert refusal(with_consenters(*CONFIG.consenters, FIFTH, another(6))) is (
        Reason.TOO_MANY_VALIDATOR_CHANGES
    )
    *others, last = CONFIG.consenters
    swapped = with_consenters(*others, FIFTH, removed_consenter_id=last.consenter_id)
    assert refusal(swapped) is Reason.TOO_MANY_VALIDATOR_CHANGES


def test_fewer_than_four() -> None:
    three = with_consenters(*CONFIG.consenters[:-1], removed_consenter_id=4)
    assert refusal(three) is Reason.TOO_FEW_VALIDATORS


def test_a_number_of_a_removed_validator() -> None:
    again = with_consenters(*CONFIG.consenters, another(5, UTILITY), removed_consenter_id=5)
    assert refusal(again, FOUR_AGAIN) is Reason.VALIDATOR_ID_REUSED


@pytest.mark.parametrize("noted", [0, 4, 6])
def test_a_removal_that_is_not_noted(noted: int) -> None:
    new = with_consenters(*CONFIG.consenters, removed_consenter_id=noted)
    assert refusal(new, FIVE) is Reason.VALIDATOR_ID_REUSED


def test_a_number_that_passes_to_another_member() -> None:
    new = with_consenters(*CONFIG.consenters[:-1], another(4, COOPERATIVE))
    assert refusal(new) is Reason.VALIDATOR_ID_REUSED


def test_a_key_that_another_validator_has() -> None:
    first = CONFIG.consenters[0]
    twin = another(5, identity_pem=first.identity_pem)
    assert refusal(with_consenters(*CONFIG.consenters, twin)) is Reason.VALIDATOR_KEY_INVALID
    twin = another(5, client_tls_cert=first.identity_pem, server_tls_cert=first.identity_pem)
    assert refusal(with_consenters(*CONFIG.consenters, twin)) is Reason.VALIDATOR_KEY_INVALID


@pytest.mark.parametrize("field", ["identity_pem", "client_tls_cert", "server_tls_cert"])
def test_a_certificate_that_does_not_parse(field: str) -> None:
    broken = another(5, **{field: b"nonsense"})
    assert refusal(with_consenters(*CONFIG.consenters, broken)) is Reason.VALIDATOR_KEY_INVALID


def test_another_key_for_each_direction_of_connections() -> None:
    two = another(5, client_tls_cert=another(6).client_tls_cert)
    assert refusal(with_consenters(*CONFIG.consenters, two)) is Reason.VALIDATOR_KEY_INVALID


def test_a_certificate_of_another_member() -> None:
    foreign = another(5, identity_pem=another(5, UTILITY).identity_pem)
    assert refusal(with_consenters(*CONFIG.consenters, foreign)) is Reason.CERTIFICATE_INVALID


def test_a_certificate_in_another_role() -> None:
    client = consortium().member(COOPERATIVE).client.certificate_pem
    new = with_consenters(*CONFIG.consenters, another(5, identity_pem=client))
    assert refusal(new) is Reason.ROLE_NOT_ALLOWED


def test_a_validator_of_no_member() -> None:
    new = with_consenters(*CONFIG.consenters, replace(FIFTH, mspid="NobodyMSP"))
    assert refusal(new) is Reason.UNKNOWN_MEMBER


def test_a_member_that_leaves_while_it_has_a_validator() -> None:
    new = replace(CONFIG, members=CONFIG.members[:-1])
    assert refusal(new) is Reason.UNKNOWN_MEMBER


def test_a_block_policy_of_other_validators() -> None:
    new = replace(FIVE, policies=CONFIG.policies)
    assert refusal(new) is Reason.BLOCK_POLICY_MISMATCH


# -- settings -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"network_id": "other"},
        {"channel_id": CHANNEL_ID + "x"},
        {"channel_capabilities": ()},
        {"orderer_capabilities": ("V9",)},
        {"application_capabilities": ("V1_4_2",)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_a_channel_keeps(change: dict[str, object]) -> None:
    assert refusal(replace(CONFIG, **change)) is Reason.SETTING_FIXED


@pytest.mark.parametrize(
    "limits",
    [
        BatchLimits(max_transactions=0),
        BatchLimits(max_transactions=BLOCK_TRANSACTIONS_MAX + 1),
        BatchLimits(max_bytes=BLOCK_BYTES_MIN - 1),
        BatchLimits(max_bytes=BLOCK_BYTES_MAX + 1),
        BatchLimits(max_bytes=BLOCK_BYTES_MAX, absolute_max_bytes=BLOCK_BYTES_MAX - 1),
        BatchLimits(absolute_max_bytes=ABSOLUTE_BYTES_MAX + 1),
        BatchLimits(max_bytes=BLOCK_BYTES_MIN, absolute_max_bytes=ABSOLUTE_BYTES_MIN - 1),
    ],
)
def test_block_limits_out_of_bounds(limits: BatchLimits) -> None:
    assert refusal(replace(CONFIG, batch_limits=limits)) is Reason.LIMIT_OUT_OF_BOUNDS


def test_an_interval_out_of_bounds() -> None:
    new = replace(CONFIG, block_interval_ms=BLOCK_INTERVAL_MS_MAX + 1)
    assert refusal(new) is Reason.LIMIT_OUT_OF_BOUNDS


@pytest.mark.parametrize(
    "path",
    [
        "/Channel/Admins",
        "/Channel/Orderer/Admins",
        f"/Channel/Application/{UTILITY}/Admins",
        f"/Channel/Application/{UTILITY}/Endorsement",
        f"/Channel/Orderer/{UTILITY}/Admins",
    ],
)
def test_a_policy_without_which_nobody_could_go_on(path: str) -> None:
    policies = {name: policy for name, policy in CONFIG.policies.items() if name != path}
    assert refusal(replace(CONFIG, policies=policies)) is Reason.UNKNOWN_POLICY


def test_an_authority_that_cannot_be_one() -> None:
    first, *others = CONFIG.members
    broken = replace(first, root_certs=(FIFTH.identity_pem,))
    assert refusal(replace(CONFIG, members=(broken, *others))) is Reason.CERTIFICATE_INVALID


def without_reading(text: bytes, replacement: bytes) -> bytes:
    """An authority's certificate (PEM) in which some bytes were put before it was signed."""
    key, name = generate_key(), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), serial_number=1)
        .not_valid_before(datetime(2051, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2052, 1, 1, tzinfo=UTC))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    signed = made.tbs_certificate_bytes
    assert text in signed
    assert len(text) == len(replacement)
    signed = signed.replace(text, replacement)
    signature = key.sign(signed, ec.ECDSA(hashes.SHA256()))
    algorithm = bytes.fromhex("300a06082a8648ce3d040302")
    content = signed + algorithm + b"\x03" + bytes([len(signature) + 1, 0]) + signature
    der = b"\x30\x82" + len(content).to_bytes(2, "big") + content
    lines = base64.encodebytes(der)
    return b"-----BEGIN CERTIFICATE-----\n" + lines + b"-----END CERTIFICATE-----\n"


@pytest.mark.parametrize(
    ("text", "replacement"),
    [(b"20510101000000Z", b"00000101000000Z"), (b"authority", b"\xff" * 9)],
)
def test_an_authority_whose_dates_or_name_cannot_be_read_when_they_are_needed(
    text: bytes, replacement: bytes
) -> None:
    """One member's administrators may change its authorities: no node may stop at what they do."""
    pem = without_reading(text, replacement)
    first, *others = CONFIG.members
    for broken in (
        replace(first, root_certs=(*first.root_certs, pem)),
        replace(first, tls_root_certs=(*first.tls_root_certs, pem)),
    ):
        assert refusal(replace(CONFIG, members=(broken, *others))) is Reason.CERTIFICATE_INVALID


def named_like(name: str) -> bytes:
    """A TLS authority (PEM) of that name."""
    key = generate_key()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = x509.CertificateBuilder(subject, subject, key.public_key(), serial_number=1)
    made = made.not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
    made = made.not_valid_after(datetime(2027, 1, 1, tzinfo=UTC))
    return made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def test_a_tls_authority_that_would_keep_a_validator_out() -> None:
    first, *others = CONFIG.members
    victim = parse_certificate(CONFIG.consenters[-1].client_tls_cert).public_key_der
    name = pinned_name(victim)
    for pem in (b"no certificate", named_like(name), named_like(f" {name.upper()} ")):
        broken = replace(first, tls_root_certs=(*first.tls_root_certs, pem))
        assert refusal(replace(CONFIG, members=(broken, *others))) is Reason.CERTIFICATE_INVALID
    harmless = replace(first, tls_root_certs=(*first.tls_root_certs, named_like("tls.example")))
    check_successor(CONFIG, replace(CONFIG, members=(harmless, *others)), validators_min=4)


def test_only_the_first_certificate_of_an_authority_counts() -> None:
    hidden = named_like("one.example") + named_like("0" * 48 + ".key")
    assert tls_authority(hidden).count(b"BEGIN CERTIFICATE") == 1


def test_a_revocation_list_of_another_authority() -> None:
    first, *others = CONFIG.members
    foreign = consortium().member(UTILITY).authority.revoke([], now=consortium().created)
    broken = replace(first, revocation_lists=(foreign,))
    assert refusal(replace(CONFIG, members=(broken, *others))) is Reason.CERTIFICATE_INVALID
