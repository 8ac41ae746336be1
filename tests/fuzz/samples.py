"""Real messages for fuzz targets to start from, made once by a real consortium."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

from ledger.model.block import Block
from ledger.model.codec_block import encode_block
from ledger.model.rwset import (
    CollectionReadWriteSet,
    HashedMetadataWrite,
    HashedRead,
    HashedWrite,
    KeyRead,
    MetadataWrite,
    NamespaceReadWriteSet,
    RangeQuery,
    RangeSummary,
    ReadWriteSet,
    Version,
)
from ledger.model.state import VALIDATION_PARAMETER
from ledger.model.transaction import SignedProposal
from ledger.ordering.consensus_codec import encode_message
from tests.support.endorsing_world import EndorsingWorld
from tests.support.ledger_world import market, put
from tests.support.validator_world import ValidatorWorld


class FuzzWorld(ValidatorWorld, EndorsingWorld):
    """A ledger of three blocks; its keys sign whatever a target asks for."""

    def __init__(self) -> None:
        super().__init__()
        self.commit(self.transaction(market(writes=[put("a"), put("b"), put("c")])))
        self.commit(self.transaction(market(reads=[self.read("a")], writes=[put("a", b"2")])))
        self.committer = self.new_committer()


@cache
def world() -> FuzzWorld:
    """Shared by all targets: none of them changes it."""
    return FuzzWorld()


def read_write_sets() -> list[ReadWriteSet]:
    """From nothing to one of everything a set can hold."""
    here = world()
    collection = CollectionReadWriteSet(
        collection="meters",
        hashed_reads=(HashedRead(b"h" * 32, Version(1, 0)), HashedRead(b"i" * 32, None)),
        hashed_writes=(HashedWrite(b"h" * 32, b"v" * 32, False, False),),
        private_rwset_hash=b"p" * 32,
        hashed_metadata_writes=(HashedMetadataWrite(b"h" * 32, (("name", b"value"),)),),
    )
    summarised = RangeQuery("a", "z", True, (), RangeSummary(50, 1, (b"s" * 32,)))
    everything = NamespaceReadWriteSet(
        namespace="market",
        reads=(here.read("a"), KeyRead("absent", None)),
        range_queries=(here.scan("a", "d"), here.scan("a", "c", exhausted=False), summarised),
        writes=(put("d"), put("a", b"")),
        metadata_writes=(MetadataWrite("a", ((VALIDATION_PARAMETER, b"policy"),)),),
        collections=(collection,),
    )
    return [
        market(),
        market(reads=[here.read("a")], writes=[put("a", b"3")]),
        market(ranges=[here.scan("a", "d")]),
        market(metadata=[MetadataWrite("a", (("note", b"text"),))]),
        ReadWriteSet((everything,)),
        ReadWriteSet((everything, NamespaceReadWriteSet(namespace="_lifecycle"))),
    ]


@cache
def transactions() -> tuple[bytes, ...]:
    """Envelopes of signed transactions."""
    here = world()
    made = [here.transaction(results) for results in read_write_sets()]
    return (*made, here.transaction(event_of="market"), here.consortium.genesis.entries[0])


@cache
def proposals() -> tuple[SignedProposal, ...]:
    """Proposals of a client, with and without transient data."""
    here = world()
    return (
        here.propose("market:place_offer", "2026-01-01T10", "RES-1", "1000", "50000"),
        here.propose("run", b"\x00\xff", transient={"secret": b"s"}),
        here.propose("QueryChaincodeDefinition", chaincode="_lifecycle"),
    )


@cache
def blocks() -> tuple[Block, ...]:
    """The genesis block, committed blocks, and the next ones with their seals."""
    here = world()
    committed = [here.store.block(number) for number in range(here.store.height())]
    return (
        *(block for block in committed if block is not None),
        here.certified(),
        here.certified(*transactions()[:3], round_=2),
        here.certified(signers=(1, 2, 3, 4)),
    )


def block_bytes() -> list[bytes]:
    """`blocks` as they are stored and sent."""
    return [encode_block(block) for block in blocks()]


@cache
def consensus_messages() -> tuple[bytes, ...]:
    """Each kind of message, with and without justification."""
    here = world()
    block = here.block()
    locked = [here.round_change(author, 1, locked=block) for author in (1, 2, 3)]
    free = [here.round_change(author, 2) for author in (2, 3, 4)]
    again = here.proposal(
        block,
        1,
        round_changes=tuple(message.signed for message in locked),
        prepares=locked[0].prepares,
    )
    fresh = here.block(proposer=here.proposer(2))
    messages = (
        here.proposal(block),
        here.proposal(fresh, 2, round_changes=tuple(message.signed for message in free)),
        again,
        here.prepare(2, block),
        here.commit_vote(3, block),
        here.commit_vote(4, block, 1),
        locked[1],
        free[0],
    )
    return tuple(encode_message(message) for message in messages)


def once(make: Callable[[], bytes]) -> Callable[[], list[bytes]]:
    """Seeds of a single input."""
    return lambda: [make()]


def renumbered(block: Block, number: int) -> Block:
    """The same block with another number."""
    return replace(block, header=replace(block.header, number=number))
