"""A validator's ledger whose configuration changes: updates by admins, votes of any validator."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ledger.consensus.messages import Payload, Signed, sign_bytes
from ledger.crypto.signing import Signer, SigningIdentity
from ledger.errors import InvalidMessage
from ledger.model.block import Block
from ledger.model.codec import decode_envelope, decode_request
from ledger.model.config import (
    BLOCK_VALIDATION_POLICY,
    ChannelConfig,
    Consenter,
    block_validation_policy,
)
from ledger.model.transaction import Envelope
from ledger.node.committing.committer import CommittedBlock
from ledger.ordering.block_building import build_block
from ledger.ordering.consensus_codec import encode_payload
from ledger.ordering.seals import make_seal, sealed_block
from ledger.validation.config_transaction import check_config_transaction, next_config
from ledger.validation.context import ValidationContext
from ledger.wire import common_pb2
from tests.support.config_updates import config_transaction, update_envelope
from tests.support.identities import CHANNEL_ID
from tests.support.validator_world import NONCE, NOW_MS, ValidatorWorld


class ConfigWorld(ValidatorWorld):
    """The four validators, and whoever joins them."""

    def __init__(self) -> None:
        self.keys: dict[int, Signer] = {}
        self._updates = 0
        super().__init__()

    def context(self) -> ValidationContext:
        state = self.channel.state
        return replace(
            super().context(),
            signatures=self.verifier,
            policies=state.policies,
            check_config=lambda envelope, signatures: check_config_transaction(
                envelope, state.in_force, signatures
            ),
        )

    @property
    def config(self) -> ChannelConfig:
        return self.channel.state.config

    @property
    def tree(self) -> common_pb2.Config:
        return common_pb2.Config.FromString(self.channel.state.tree_raw)

    @property
    def admins(self) -> list[SigningIdentity]:
        return [member.admin for member in self.consortium.members]

    def check_config(self, envelope: Envelope, at_ms: int) -> None:
        """`MessageJudge`'s, by the rules; certificates are valid at all times of the tests."""
        check_config_transaction(envelope, self.channel.state.in_force, self.verifier)

    def key(self, author: int) -> Signer:
        return self.keys.get(author) or super().key(author)

    # -- configurations ---------------------------------------------------------------------------

    def with_consenters(self, *consenters: Consenter, **changes: object) -> ChannelConfig:
        """The configuration with these validators and the policy that follows from them."""
        policies = {
            **self.config.policies,
            BLOCK_VALIDATION_POLICY: block_validation_policy(consenters),
        }
        return replace(self.config, consenters=consenters, policies=policies, **changes)

    def candidate(self, consenter_id: int, member_index: int = 0) -> Consenter:
        """A validator with new keys; the world can sign for it from now on."""
        member = self.consortium.members[member_index]
        now = self.consortium.created
        pair = member.authority.issue_node(f"peer{consenter_id}", now=now)
        tls = member.authority.issue_tls(f"peer{consenter_id}", now=now).certificate_pem
        self.keys[consenter_id] = Signer(pair.key_pem)
        return Consenter(
            consenter_id=consenter_id,
            host="127.0.0.1",
            port=20_000 + consenter_id,
            mspid=member.mspid,
            identity_pem=pair.certificate_pem,
            client_tls_cert=tls,
            server_tls_cert=tls,
        )

    def update(
        self, config: ChannelConfig, signers: Iterable[SigningIdentity] | None = None
    ) -> bytes:
        """A CONFIG_UPDATE envelope to this configuration, signed by three admins."""
        chosen = self.admins[:3] if signers is None else signers
        return update_envelope(self.tree, config, chosen, sender=self.admins[0])

    def ordered(self, update_raw: bytes, *, validator: SigningIdentity | None = None) -> bytes:
        """The CONFIG envelope that a validator makes of an update now."""
        self._updates += 1
        following = next_config(
            decode_request(update_raw), self.channel.state.in_force, self.verifier
        )
        return config_transaction(
            common_pb2.Config.FromString(following.tree_raw),
            update_raw,
            validator or self.consortium.members[0].node,
            channel_id=CHANNEL_ID,
            nonce=self._updates.to_bytes(24, "big"),
        )

    def refusal(self, entry: bytes) -> InvalidMessage | None:
        """What the rules say of a CONFIG envelope now."""
        try:
            check_config_transaction(
                decode_envelope(entry), self.channel.state.in_force, self.verifier
            )
        except InvalidMessage as error:
            return error
        return None

    # -- blocks -----------------------------------------------------------------------------------

    def signed(self, payload: Payload, author: int) -> Signed[Payload]:
        """Under the domain in force, whatever the world began with."""
        raw = encode_payload(payload, author)
        domain = self.channel.state.domain
        return Signed(payload, author, raw, self.key(author).sign(sign_bytes(domain, raw)))

    def decided(self, *entries: bytes, signers: Sequence[int] = (1, 2, 3)) -> Block:
        """The next block with these entries and seals, as another peer would send it."""
        built = build_block(
            tip=self.tip,
            proposer=self.tip.validators[0],
            entries=entries or (self.transaction(),),
            last_config=self.committer.last_config,
            now_ms=NOW_MS + self.tip.height,
        )
        seals = [make_seal(self.key(i), i, NONCE, built, 0) for i in signers]
        return sealed_block(built, 0, tuple(seals))

    def follow(self, *entries: bytes, signers: Sequence[int] = (1, 2, 3)) -> CommittedBlock:
        """Import the next block by the rules of catch-up and commit it."""
        return self.committer.commit(
            self.committer.certified(self.decided(*entries, signers=signers))
        )

    def reconfigure(
        self, config: ChannelConfig, signers: Sequence[int] = (1, 2, 3)
    ) -> CommittedBlock:
        """Commit a configuration block that leads to this configuration."""
        return self.follow(self.ordered(self.update(config)), signers=signers)
