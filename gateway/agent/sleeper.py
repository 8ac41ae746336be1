"""A household that sleeps: its standing order, and the agent whose key acts on it.

The household signs both once: what the agent's key may do (`signers:add_agent`) and the order it
makes in every listing (`standing:place`). From then on its own key is not needed.
"""

import json
from dataclasses import asdict, dataclass

from chaincode.energy.market.placing import OFFER
from chaincode.energy.registry.records import AgentLimits
from gateway.agent.client import HouseholdClient
from gateway.agent.strategy import Wish
from gateway.ledger_access.actor import Actor
from ledger.crypto.certificates import parse_certificate
from ledger.crypto.hashing import sha256
from ledger.crypto.signing import SigningIdentity


@dataclass(frozen=True, slots=True)
class StandingOffer:
    """Energy in Wh of an own source, in every listing, from this price on; until an instant."""

    res_id: str
    energy_wh: int
    price_utoken_per_kwh: int
    until_ms: int


class Sleeper:
    """The agent's side: its key, and what the household has signed."""

    def __init__(self, identity: SigningIdentity, client: HouseholdClient, idgrid: str) -> None:
        """`client` signs with `identity`, the agent's."""
        self.client = client
        self._identity = identity
        self._idgrid = idgrid
        self._standing_id = ""
        self._energy_wh = 0

    async def fall_asleep(self, owner: Actor, limits: AgentLimits, offer: StandingOffer) -> None:
        """The household signs the agent's limits and the standing order, in this order."""
        await owner.commit("signers:add_agent", self._fingerprint(), json.dumps(asdict(limits)))
        signed = asdict(offer) | {"side": OFFER}
        done = await owner.commit("standing:place", json.dumps(signed))
        self._standing_id, self._energy_wh = done.tx_id, offer.energy_wh

    async def carry_out(self, wish: Wish, listing_id: str) -> int:
        """Make the standing order in a listing if there is enough to sell; returns its Wh."""
        if wish.side != OFFER or wish.energy_wh < self._energy_wh or not self._standing_id:
            return 0
        args = [listing_id, self._idgrid, self._standing_id]
        await self.client.submit("standing:carry_out", args, wait=True)
        return self._energy_wh

    def _fingerprint(self) -> str:
        """As the ledger names the agent's key."""
        return sha256(parse_certificate(self._identity.certificate_pem).public_key_der).hex()
