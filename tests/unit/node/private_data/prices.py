"""A collection of prices between peers of four members: who has what of it.

CoopMSP (1) and the second member (2) are members of the collection, the others are not.
"""

from ledger.crypto.policy_text import parse_policy
from ledger.model.private_collections import Collection
from ledger.model.private_rwset import (
    encode_private_read_write_set,
    encode_private_writes,
)
from ledger.model.rwset import (
    KeyWrite,
)
from ledger.wire.validator_pb2 import PrivateDataOffer
from tests.support.ledger_world import CHAINCODE

HELD, ALSO_HELD, STRANGER, OTHER_STRANGER = 1, 2, 3, 4


def prices(stage, **rules):
    mspids = [stage.peers[n].mspid for n in (HELD, ALSO_HELD)]
    policy = parse_policy(f"OR('{mspids[0]}.member', '{mspids[1]}.member')")
    return Collection("prices", policy, **{"maximum_peer_count": 1, **rules})


def writes(**values):
    def work(simulator):
        for key, value in values.items():
            simulator.private.put(CHAINCODE, "prices", key, value)

    return work


def purges(key):
    return lambda simulator: simulator.private.purge(CHAINCODE, "prices", key)


def values(stage, key):
    return [peer.value(key) for peer in stage.peers.values()]


def stored_bytes(peer):
    return b"".join(key + value for key, value in peer.world.kv.iterate(b"", b"\xff" * 8))


def offer_of(private, tx_id="ab" * 32):
    return PrivateDataOffer(
        request_id=1, tx_id=tx_id, private_rwset=encode_private_read_write_set(private)
    )


async def receipt_of(peer, offer, sender=HELD):
    answers = []
    await peer.dissemination.on_offer(sender, offer, lambda item: bool(answers.append(item)))
    (answer,) = answers
    return answer.private_data_receipt


async def endorsed_by_a_stranger(stage, **written):
    entry, tx_id, private = stage.simulate(writes(**written), on=STRANGER)
    await stage.peers[STRANGER].dissemination.keep(tx_id, private)
    await stage.settle()
    return entry


FALSE = encode_private_writes([KeyWrite("a", b"false")], ())


ADDED = encode_private_writes([KeyWrite("a", b"1"), KeyWrite("z", b"added")], ())
