"""Bytes of each record as it is really encoded here, beside the source's (row E134).

What devices publish is JSON, an order is a record on the ledger and a signed proposal on its way
there (Fabric's messages, protobuf).
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from chaincode.energy.market.records import MarketOrder
from chaincode.energy.records import encode
from ledger.client.proposals import new_proposal
from ledger.model.codec_proposal import encode_signed_proposal
from network.certificates.authority import MemberAuthority

ORDER = "order of a house (P2P trade), as stored"
SIGNED_ORDER = "  the same, signed and ready to endorse"
EVERYTHING = "order and data for a coordinator"
HOUSE = "all of a house (HEMS)"
METER, UNSIGNED_METER = "meter", "  of it, without signature and key id"
PV, BATTERY = "PV", "battery"
SOURCE_BYTES = {ORDER: 52, EVERYTHING: 116, HOUSE: 324, METER: 40, PV: 40, BATTERY: 32}
"""001:1018-1152."""
APPLIANCES = 4
T_MS = 1_767_225_600_000
KEY_ID, SIGNATURE = "0" * 16, "M" * 96
READING = {
    "v": 1,
    "m": "meter-01",
    "seq": 1_000,
    "t_end": T_MS,
    "imp_wh": 123_456,
    "exp_wh": 65_432,
    "q": "measured",
    "kid": KEY_ID,
    "sig": SIGNATURE,
}
MEASUREMENT = {
    "v": 1,
    "d": "meter-01",
    "t": T_MS,
    "u_mv": 230_120,
    "i_ma": 1_250,
    "p_mw": 287_650,
    "flags": [],
}
CHARGE = {"v": 1, "b": "battery-1", "t": T_MS, "stored_wh": 6_250}
PLACED = MarketOrder(
    order_id="0" * 64,
    listing_id="2026-01-15T10",
    idgrid="VAL-0001-A",
    side="offer",
    energy_wh=2_500,
    price_utoken_per_kwh=54_000,
    res_id="pv-01",
)


def sizes() -> dict[str, int]:
    """Bytes by record; all of a house is its meter, PV, battery and four appliances."""
    meter, pv, battery = (published(one) for one in (READING, MEASUREMENT, CHARGE))
    order = len(encode(PLACED))
    return {
        ORDER: order,
        SIGNED_ORDER: _signed_proposal(),
        EVERYTHING: order + meter + pv + battery,
        HOUSE: meter + (1 + APPLIANCES) * pv + battery,
        METER: meter,
        UNSIGNED_METER: meter - len(f',"kid":"{KEY_ID}","sig":"{SIGNATURE}"'),
        PV: pv,
        BATTERY: battery,
    }


def size_table(own: Mapping[str, int]) -> str:
    """`sizes` beside the source's; what a signed order adds to 52 is named."""
    lines = ["record, bytes                                here   source"]
    for name, size in own.items():
        source = SOURCE_BYTES.get(name)
        lines.append(f"{name:<42} {size:>6} {'' if source is None else source:>8}")
    over = own[SIGNED_ORDER] - SOURCE_BYTES[ORDER]
    lines.append(f"\noverhead of a signed order over the source's 52 bytes: {over}")
    return "\n".join(lines)


def published(record: dict[str, object]) -> int:
    """Bytes of a message as devices write it."""
    return len(json.dumps(record, separators=(",", ":")))


def _signed_proposal() -> int:
    """A household's order as a peer gets it: certificate, nonce, arguments, signature."""
    now = datetime.now(tz=UTC)
    authority = MemberAuthority.create("CoopMSP", "Cooperative", now=now)
    pair = authority.issue_client(
        PLACED.idgrid, {"role": "prosumer", "idgrid": "VAL-0001"}, now=now
    )
    identity = authority.signing_identity(pair)
    arguments: Sequence[str] = (
        PLACED.listing_id,
        str(PLACED.res_id),
        str(PLACED.energy_wh),
        str(PLACED.price_utoken_per_kwh),
    )
    proposal = new_proposal(
        channel_id="energy",
        chaincode="energy",
        function="market:place_offer",
        args=arguments,
        creator=identity.serialized,
        timestamp_ns=0,
    )
    return len(encode_signed_proposal(proposal.raw, identity.signer.sign(proposal.raw)))
