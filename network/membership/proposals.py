"""Proposals: a configuration update as a file that admins sign one after the other.

The file holds the update's bytes and the signatures so far, nothing secret; it can be sent to the
other members, who sign it with their own key.
"""

import base64
import json
import re
import secrets
from dataclasses import dataclass, replace
from pathlib import Path
from time import time_ns
from typing import Any

from ledger.crypto.hashing import sha256
from ledger.crypto.msp import MspRegistry
from ledger.crypto.signing import SigningIdentity, verify_signature
from ledger.errors import GridledgerError, InvalidMessage, Reason
from ledger.model.codec import decode_request, encode_envelope
from ledger.model.codec_header import (
    NONCE_BYTES,
    decode_identity,
    encode_signature_header,
)
from ledger.model.config import CONFIG_BYTES_MAX, ChannelConfig
from ledger.model.config_update import (
    SignedUpdate,
    UpdateSignature,
    encode_update_payload,
    require_update,
    update_between,
    updated_tree,
)
from ledger.model.policy import MetaRule, SignaturePolicy
from ledger.node.membership.channel import ChannelState
from ledger.validation.config_transaction import NextConfig, next_config
from network.layout import NetworkLayout, make_private_folder, write_replacing

ID_CHARACTERS = 8
_ID = re.compile(r"[0-9a-f]{8}")
NANOSECONDS_PER_MS = 1_000_000


class ProposalError(GridledgerError):
    """A proposal file cannot be used; the text says why."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """An update that waits for signatures."""

    title: str
    """One sentence for the admins who sign."""
    update_raw: bytes
    """common.ConfigUpdate bytes."""
    sequence: int
    """Of the configuration it changes."""
    signatures: tuple[UpdateSignature, ...] = ()

    @property
    def id(self) -> str:
        """What the command line calls it."""
        return sha256(self.update_raw).hex()[:ID_CHARACTERS]

    def signed_by(self, admin: SigningIdentity) -> "Proposal":
        """With this admin's signature; a second one of the same member replaces the first."""
        header = encode_signature_header(admin.serialized, secrets.token_bytes(NONCE_BYTES))
        signature = admin.sign(UpdateSignature(header, b"").message(self.update_raw))
        signatures = {_member_of(one): one for one in self.signatures}
        signatures[admin.mspid] = UpdateSignature(header, signature)  # the place stays
        return replace(self, signatures=tuple(signatures.values()))

    @property
    def proposer(self) -> str:
        """Whose administrator signed first (MSP id); empty before."""
        return _member_of(self.signatures[0]) if self.signatures else ""

    def envelope(self, sender: SigningIdentity, channel_id: str) -> bytes:
        """The CONFIG_UPDATE envelope to submit."""
        payload = encode_update_payload(
            SignedUpdate(self.update_raw, self.signatures),
            channel_id=channel_id,
            creator=sender.serialized,
            nonce=secrets.token_bytes(NONCE_BYTES),
            timestamp_ns=time_ns(),
        )
        return encode_envelope(payload, sender.sign(payload))


def propose(state: ChannelState, updated: ChannelConfig, title: str) -> Proposal:
    """An unsigned proposal; raises InvalidMessage CONFIG_UNCHANGED."""
    return Proposal(
        title=title,
        update_raw=update_between(state.tree_raw, updated),
        sequence=state.config.sequence,
    )


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a proposal has come."""

    result: NextConfig | None
    """What it leads to; None while signatures are missing or it cannot take effect."""
    signed: tuple[str, ...]
    """Members (MSP ids) whose signature counts."""
    needed: int
    may_sign: tuple[str, ...]
    problem: str = ""
    """Why it can never take effect as it is; empty otherwise."""
    is_outdated: bool = False
    """The problem is that what it changes has changed since."""


def standing(proposal: Proposal, state: ChannelState, sender: SigningIdentity) -> Standing:
    """Judge a proposal by the configuration in force, with the rules that validators apply."""
    checker = _Signatures(state.registry, time_ns() // NANOSECONDS_PER_MS)
    envelope = decode_request(proposal.envelope(sender, state.config.channel_id))
    needed, eligible = _required(proposal, state)
    good = {_member_of(one) for one in proposal.signatures if _counts(one, proposal, checker)}
    signed = tuple(sorted(good & eligible if eligible else good))
    may_sign = tuple(sorted(eligible - good))
    try:
        result = next_config(envelope, state.in_force, checker)
    except InvalidMessage as error:
        problem = "" if error.reason is Reason.POLICY_NOT_SATISFIED else str(error)
        is_outdated = error.reason is Reason.CONFIG_OUTDATED
        return Standing(None, signed, needed, may_sign, problem, is_outdated=is_outdated)
    return Standing(result, signed, needed, may_sign)


class _Signatures:
    """`ledger.validation.context.SignatureChecker` at one moment."""

    def __init__(self, registry: MspRegistry, at_ms: int) -> None:
        self._registry = registry
        self._at_ms = at_ms

    def verify(self, identity: bytes, message: bytes, signature: bytes) -> bool:
        try:
            known = self._registry.identity(identity)
            known.check_validity(self._at_ms)
            verify_signature(known.public_key, message, signature)
        except InvalidMessage:
            return False
        return True


def _counts(one: UpdateSignature, proposal: Proposal, checker: _Signatures) -> bool:
    return checker.verify(one.creator, one.message(proposal.update_raw), one.signature)


def _member_of(one: UpdateSignature) -> str:
    """Whose admin signed (MSP id)."""
    return decode_identity(one.creator)[0]


def _required(proposal: Proposal, state: ChannelState) -> tuple[int, set[str]]:
    """(members that must sign, members that may) over all policies the update touches."""
    paths: list[str] = []
    try:
        updated_tree(
            state.tree_raw,
            proposal.update_raw,
            channel_id=state.config.channel_id,
            check_policy=paths.append,
        )
    except InvalidMessage:
        return 0, set()
    found = [_members_needed(state.config, path) for path in paths]
    return max(count for count, _ in found), set().union(*(members for _, members in found))


def _members_needed(config: ChannelConfig, path: str) -> tuple[int, set[str]]:
    policy = config.policies.get(path)
    if policy is None:
        return 0, set()
    if isinstance(policy, SignaturePolicy):
        return 1, {principal.mspid for principal in policy.principals}
    children = [
        _members_needed(config, child)
        for child in config.child_policy_paths(path, policy.sub_policy)
    ]
    members = set[str]().union(*(below for _, below in children))
    if any(count > 1 for count, _ in children):  # groups of groups: the stricter one decides
        return max(count for count, _ in children), members
    if policy.rule is MetaRule.ALL:
        return len(children), members
    return (1 if policy.rule is MetaRule.ANY else len(children) // 2 + 1), members


# -- files ----------------------------------------------------------------------------------------


def proposals_dir(layout: NetworkLayout) -> Path:
    """Where proposals of a network on this machine lie."""
    return layout.genesis_block.parent / "proposals"


def save(proposal: Proposal, path: Path) -> None:
    """Write a proposal, replacing an earlier state of it."""
    content = {
        "id": proposal.id,
        "title": proposal.title,
        "sequence": proposal.sequence,
        "update": _text(proposal.update_raw),
        "signatures": [
            {
                "member": _member_of(one),
                "header": _text(one.header_raw),
                "signature": _text(one.signature),
            }
            for one in proposal.signatures
        ],
    }
    make_private_folder(path.parent)
    write_replacing(path, (json.dumps(content, indent=2) + "\n").encode("utf-8"))


def load(path: Path) -> Proposal:
    """Read a proposal; raises ProposalError for a file that is none or was altered."""
    try:
        if path.stat().st_size > 2 * CONFIG_BYTES_MAX:
            raise ProposalError(f"{path} is larger than any proposal")
        content = json.loads(path.read_text(encoding="utf-8"))
        proposal = _proposal(content)
    except OSError as error:
        raise ProposalError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, RecursionError, InvalidMessage) as error:
        raise ProposalError(f"{path} is no proposal: {error}") from error
    if proposal.id != content["id"]:
        raise ProposalError(f"{path} was altered: its update is not the one it is named after")
    return proposal


def find(layout: NetworkLayout, name: str) -> Path:
    """The file of a proposal named by its id or its path."""
    if _ID.fullmatch(name):
        path = proposals_dir(layout) / f"{name}.json"
        if path.exists():
            return path
        raise ProposalError(f"there is no proposal {name}; `gridledger member list` shows them")
    return Path(name)


def pending(layout: NetworkLayout) -> list[Path]:
    """Proposals that wait, oldest first."""
    folder = proposals_dir(layout)
    files = folder.glob("*.json") if folder.is_dir() else ()
    return sorted(files, key=lambda path: path.stat().st_mtime_ns)


def _proposal(content: dict[str, Any]) -> Proposal:
    update_raw = _bytes(content["update"])
    require_update(update_raw)
    signatures = tuple(
        UpdateSignature(_bytes(one["header"]), _bytes(one["signature"]))
        for one in content["signatures"]
    )
    for one in signatures:
        _member_of(one)  # every signature must say whose it is
    return Proposal(str(content["title"]), update_raw, int(content["sequence"]), signatures)


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
