"""A ledger with a settled hour, its receipts, and every way in which one may be forged."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from chaincode.energy import keys, records
from chaincode.energy.marketplace.posts import post_key
from chaincode.energy.marketplace.records import Post, PostState
from ledger.crypto.hashing import block_signature_message
from ledger.crypto.signing import SigningIdentity
from ledger.model.block import Block
from ledger.model.codec_block import (
    decode_signed_value,
    encode_consenter_metadata,
    encode_identifier_header,
    encode_orderer_block_metadata,
)
from ledger.receipts.making import make_receipt
from ledger.receipts.receipt import ProvenLeaf, Receipt, ReceiptSeal
from ledger.receipts.trust import TrustedValidators, trusted_from_blocks
from tests.support.identities import Consortium, make_consortium
from tests.support.ledger_world import CHAINCODE, LedgerWorld, market, put

IDGRID, NEIGHBOUR, HOUR = "VAL-0001", "VAL-0002", "2026-01-01T14"
LINE_KEY = f"line~{IDGRID}~{HOUR}"
CORRECTION_KEY = keys.correction(IDGRID, HOUR, 1)


def settlement_line(idgrid: str, **changed: int) -> bytes:
    """A household's line as the contract writes it: 8 of 10 kWh delivered, 432,000 received."""
    line = {
        "bought_from_utility_wh": 0, "bought_wh": 0, "exported_wh": 8_000, "idgrid": idgrid,
        "imported_wh": 0, "matched_buy_wh": 0, "matched_sell_wh": 10_000, "metering": "measured",
        "network_charge_utoken": 0, "owed_by_utility_utoken": 0, "owed_to_utility_utoken": 0,
        "paid_utoken": 0, "pool_share_utoken": 0, "received_utoken": 432_000,
        "refunded_utoken": 0, "sold_to_utility_wh": 0, "sold_wh": 8_000,
    }  # fmt: skip
    return json.dumps(line | changed, separators=(",", ":"), sort_keys=True).encode()


class ReceiptWorld(LedgerWorld):
    """Block 1 settles an hour of two households; block 2 seals what block 1 came to."""

    def __init__(self) -> None:
        super().__init__()
        lines = [(i, f"line~{i}~{HOUR}") for i in (IDGRID, NEIGHBOUR)]
        writes = [put(key, settlement_line(idgrid)) for idgrid, key in lines]
        writes.append(put(f"settlement~{HOUR}", b'{"state":"SETTLED"}'))
        settling = self.transaction(market(writes=writes))
        refused = self.transaction(market(reads=[self.read("gone")], writes=[put("gone")]))
        too_late = self.transaction(market(reads=[self.read("gone")], writes=[put("gone")]))
        self.commit(settling, refused, too_late)
        self.commit(self.transaction(market(writes=[put("next")])))
        self.trusted: TrustedValidators = trusted_from_blocks(self.consortium.genesis)

    def block(self, number: int) -> Block:
        found = self.store.block(number)
        assert found is not None
        return found

    def receipt(self, index: int = 0, key: str | None = LINE_KEY) -> Receipt:
        """Of an entry of block 1, and of what it wrote."""
        return make_receipt(
            self.block(1),
            self.block(2),
            genesis_hash=self.store.genesis_hash,
            index=index,
            written=None if key is None else (CHAINCODE, key),
        )

    def resealed(self, receipt: Receipt, signers: dict[int, SigningIdentity]) -> Receipt:
        """The receipt with seals of these over what it says now."""
        return replace(
            receipt, seals=tuple(self._seal(receipt, i, who) for i, who in signers.items())
        )

    def validators(self, *ids: int) -> dict[int, SigningIdentity]:
        return {m.consenter_id: m.node for m in self.consortium.members if m.consenter_id in ids}

    def _seal(self, receipt: Receipt, consenter_id: int, who: SigningIdentity) -> ReceiptSeal:
        identifier = encode_identifier_header(consenter_id, bytes(24))
        message = block_signature_message(receipt.signed_value, identifier, receipt.sealing_header)
        return ReceiptSeal(identifier, who.sign(message))


DEAL = Post(
    post_id="2026-01-15T10.ab12",
    kind="offer",
    state=PostState.SETTLED,
    hour="2026-01-15T10",
    owner_idgrid="VAL-0001-X",
    energy_wh=4_000,
    price_utoken=216_000,
    unit_price_utoken_per_kwh=54_000,
    res_id="pv-1",
    is_charge_checked=False,
    needs_acceptance=False,
    seller_idgrid="VAL-0001-X",
    buyer_idgrid="VAL-0002-Y",
    reserved_until_ms=0,
    escrow_id=None,
    delivery_start_ms=1_768_471_200_000,
    delivery_end_ms=1_768_474_800_000,
    reading_tolerance_ms=60_000,
    settle_by_ms=1_768_478_400_000,
    refund_from_ms=1_768_561_200_000,
    delivered_wh=3_200,
    paid_utoken=172_800,
    delivery="metered",
)
"""3.2 of 4 kWh came; 43,200 of 216,000 went back."""


class DealWorld(ReceiptWorld):
    """Then a correction of the hour, a deal bought, and the same deal settled; the last seals."""

    def __init__(self) -> None:
        super().__init__()
        corrected = settlement_line(IDGRID, sold_wh=-500, received_utoken=-27_000)
        key = post_key(DEAL.post_id)
        assert key is not None
        bought = replace(DEAL, state=PostState.PURCHASED, delivered_wh=None, paid_utoken=None)
        for written in (
            put(CORRECTION_KEY, corrected),
            put(key, records.encode(bought)),
            put(key, records.encode(DEAL)),
            put("sealing"),
        ):
            self.commit(self.transaction(market(writes=[written])))


def strangers() -> Consortium:
    """Another community, with keys of its own."""
    return make_consortium(datetime.now(UTC))


Forgery = Callable[[ReceiptWorld], Receipt]


def leaf(number: int, **changed: object) -> Forgery:
    """One leaf of the settlement's receipt changed."""

    def forge(world: ReceiptWorld) -> Receipt:
        receipt = world.receipt()
        leaves = list(receipt.leaves)
        leaves[number] = replace(leaves[number], **changed)  # type: ignore[arg-type]
        return replace(receipt, leaves=tuple(leaves))

    return forge


def field(**changed: object) -> Forgery:
    """One field of the settlement's receipt changed."""
    return lambda world: replace(world.receipt(), **changed)  # type: ignore[arg-type]


def richer(world: ReceiptWorld) -> Receipt:
    """The household's line with ten times the money."""
    receipt = world.receipt()
    line = receipt.leaves[1]
    forged = line.element.replace(b":432000", b":932000")
    return replace(receipt, leaves=(receipt.leaves[0], replace(line, element=forged)))


def forged_quorum(world: ReceiptWorld) -> Receipt:
    """Everything consistent, sealed by keys that are not the validators'."""
    others = strangers().members
    return world.resealed(
        world.receipt(), {m.consenter_id: m.node for m in others if m.consenter_id < 4}
    )


def twice_sealed(world: ReceiptWorld) -> Receipt:
    receipt = world.receipt()
    first, second, _ = receipt.seals
    return replace(receipt, seals=(first, second, second))


def sealed_by_a_stranger(world: ReceiptWorld) -> Receipt:
    receipt = world.receipt()
    stranger = strangers().members[0].node
    return world.resealed(receipt, world.validators(1, 2) | {9: stranger})


def another_set(world: ReceiptWorld) -> Receipt:
    """Sealed by a quorum that signs for a set nobody has heard of."""
    receipt = world.receipt()
    metadata = replace(decode_signed_value(receipt.signed_value), validator_set_hash=bytes(32))
    value = encode_orderer_block_metadata(0, encode_consenter_metadata(metadata))
    return world.resealed(replace(receipt, signed_value=value), world.validators(1, 2, 3))


def neighbours_write(world: ReceiptWorld) -> Receipt:
    """A good transaction leaf beside a good write of another transaction."""
    later = make_receipt(
        world.block(1),
        world.block(2),
        genesis_hash=world.store.genesis_hash,
        index=1,
        written=(CHAINCODE, "gone"),
    )
    return replace(world.receipt(), leaves=(world.receipt().leaves[0], later.leaves[1]))


def only_a_write(world: ReceiptWorld) -> Receipt:
    receipt = world.receipt()
    return replace(receipt, leaves=receipt.leaves[1:])


def with_path(leaf_: ProvenLeaf, *path: bytes) -> ProvenLeaf:
    return replace(leaf_, path=path)


def short_path(world: ReceiptWorld) -> Receipt:
    receipt = world.receipt()
    return replace(receipt, leaves=tuple(with_path(one, *one.path[:-1]) for one in receipt.leaves))


def long_path(world: ReceiptWorld) -> Receipt:
    receipt = world.receipt()
    return replace(
        receipt, leaves=tuple(with_path(one, *one.path, bytes(32)) for one in receipt.leaves)
    )


FORGERIES: dict[str, tuple[Forgery, str, str]] = {
    "another genesis block": (field(genesis_hash=bytes(32)), "chain", "OTHER_CHAIN"),
    "nothing sealed": (field(signed_value=b""), "file", "MALFORMED"),
    "garbage sealed": (field(signed_value=b"\xff" * 20), "file", "MALFORMED"),
    "validators nobody knows": (another_set, "validators", "UNKNOWN_VALIDATORS"),
    "no seals": (field(seals=()), "seals", "TOO_FEW_SEALS"),
    "a seal too few": (
        lambda world: replace(world.receipt(), seals=world.receipt().seals[:2]),
        "seals",
        "TOO_FEW_SEALS",
    ),
    "a forged quorum": (forged_quorum, "seals", "BAD_SEAL"),
    "a seal twice": (twice_sealed, "seals", "SEALED_TWICE"),
    "a stranger's seal": (sealed_by_a_stranger, "seals", "STRANGERS_SEAL"),
    "other codes": (field(codes=bytes(3)), "state commitment", "OTHER_STATE"),
    "another state": (field(state_hash=bytes(32)), "state commitment", "OTHER_STATE"),
    "another history": (field(commit_hash_before=bytes(32)), "state commitment", "OTHER_STATE"),
    "another root": (field(outcome_root=bytes(32)), "state commitment", "OTHER_STATE"),
    "another leaf count": (field(leaf_count=8), "state commitment", "OTHER_STATE"),
    "more money": (richer, "Merkle path", "OTHER_ROOT"),
    "another blinding": (leaf(1, blinding=bytes(32)), "Merkle path", "OTHER_ROOT"),
    "another place": (leaf(1, index=2), "Merkle path", "OTHER_ROOT"),
    "no such place": (leaf(1, index=99), "Merkle path", "OTHER_ROOT"),
    "a path too short": (short_path, "Merkle path", "OTHER_ROOT"),
    "a path too long": (long_path, "Merkle path", "OTHER_ROOT"),
    "another's write": (neighbours_write, "statement", "OTHER_BLOCK"),
    "a write alone": (only_a_write, "statement", "MALFORMED"),
    "nothing said": (field(leaves=()), "statement", "MALFORMED"),
}
"""What is forged, the step that refuses it, and the problem it names."""
