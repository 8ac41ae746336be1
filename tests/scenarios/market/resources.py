"""What each operation of a market window costs a peer, beside the gas of the documented contract.

Nothing is charged here. The unit is made to be comparable: the same reads, writes and bytes at the
prices an Ethereum client asks for them.
"""

from dataclasses import dataclass

from chaincode.shim.testing import Simulation, TestClient
from ledger.model.codec import prepared_transaction_payload
from tests.scenarios.market.narration import Story
from tests.scenarios.market.stage import GWEI
from tests.unit.energy.community import LISTING, Community, Household, milliseconds

BLOCK_UNITS = 30_000_000
TRANSACTION_UNITS = 21_000
ARGUMENT_BYTE_UNITS = 16
READ_UNITS = 2_100
NEW_WORD_UNITS = 22_100
CHANGED_WORD_UNITS = 5_000
EVENT_BYTE_UNITS = 8
WORD_BYTES = 32
DOCUMENTED_GAS = {
    "phase transition": 161_524,
    "start window": 286_403,
    "submit offer": 129_613,
    "submit bid": 130_354,
    "matching": 153_400,
    "transferring": 134_179,
    "settlement": 144_247,
}
"""Gas of the documented contract, whose constructor took 2,619,703; ours is no transaction."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one transaction reads and writes."""

    operation: str
    reads: int
    writes: int
    written_bytes: int
    transaction_bytes: int
    units: int

    @property
    def share(self) -> float:
        """Part of a block of 30 million units."""
        return self.units / BLOCK_UNITS

    @property
    def in_a_block(self) -> int:
        """How many such transactions a block of 30 million units would hold."""
        return BLOCK_UNITS // self.units


def cost_of(operation: str, simulated: Simulation, existing: set[str]) -> Cost:
    """Count a simulated transaction; `existing` are the keys that were there before it."""
    units = TRANSACTION_UNITS
    units += sum(map(len, simulated.proposal.args)) * ARGUMENT_BYTE_UNITS
    reads = len(simulated.reads) + sum(rows for _, _, rows in simulated.ranges)
    units += reads * READ_UNITS
    for key, value in simulated.writes.items():
        words = -(-len(value or b"") // WORD_BYTES)
        units += words * (CHANGED_WORD_UNITS if key in existing else NEW_WORD_UNITS)
    if simulated.event is not None:
        units += len(simulated.event.payload) * EVENT_BYTE_UNITS
    parts = (simulated.proposal, simulated.payload, simulated.endorsements)
    return Cost(
        operation=operation,
        reads=reads,
        writes=len(simulated.writes),
        written_bytes=sum(len(key) + len(value or b"") for key, value in simulated.writes.items()),
        transaction_bytes=len(prepared_transaction_payload(*parts)),
        units=units,
    )


def run(story: Story) -> list[Cost]:
    """One window with one seller and one buyer, each step measured before it is committed."""
    community = Community.found()
    seller = community.join(tokens=0)
    buyer = community.join(role="consumer", tokens=600_000 * GWEI)
    story.step("One window, one offer, one bid; every step measured as the peers simulate it.")
    costs = list(_window(community, seller, buyer))
    story.note(
        f"{'operation':<17}{'reads':>6}{'writes':>7}{'bytes':>7}{'transaction':>12}"
        f"{'units':>9}{'of 30 M':>9}{'a block':>9}{'gas there':>11}"
    )
    for cost in costs:
        story.note(
            f"{cost.operation:<17}{cost.reads:>6}{cost.writes:>7}{cost.written_bytes:>7}"
            f"{cost.transaction_bytes:>12}{cost.units:>9,}{cost.share:>9.2%}{cost.in_a_block:>9}"
            f"{DOCUMENTED_GAS[cost.operation]:>11,}"
        )
    names = [cost.operation for cost in costs]
    story.figure("operations", sorted(names), sorted(DOCUMENTED_GAS))
    story.note(
        "units: 21,000 a transaction, 16 a byte of arguments, 2,100 a key read, 22,100 a new and"
        " 5,000 a changed word of 32 bytes, 8 a byte of the event. Nothing is charged."
    )
    return costs


def _window(community: Community, seller: Household, buyer: Household) -> list[Cost]:
    costs = []

    def measure(operation: str, client: TestClient, function: str, *args: object) -> None:
        existing = set(community.ledger.keys())
        simulated = client.simulate(function, *args)
        costs.append(cost_of(operation, simulated, existing))
        community.ledger.commit_valid(simulated)

    prices = {"floor_utoken_per_kwh": 0, "cap_utoken_per_kwh": 60_000 * GWEI}
    opening = prices | {"preset": "energy_auction"}
    measure("start window", community.manager, "market:open_listing", LISTING, opening)
    offer = (LISTING, seller.res_id, 10_000, 40_000 * GWEI)
    measure("submit offer", seller.client, "market:place_offer", *offer)
    measure("submit bid", buyer.client, "market:place_bid", LISTING, 10_000, 54_000 * GWEI)
    community.ledger.at("2026-01-15T09:58:00Z")
    measure("phase transition", community.scheduler, "market:close_bidding", LISTING)
    measure("matching", community.scheduler, "market:clear", LISTING)
    community.ledger.at("2026-01-15T10:00:00Z")
    community.report(community.ledger.now)
    community.ledger.at("2026-01-15T11:00:00Z")
    seller.export_wh, buyer.import_wh = 8_000, 8_000
    end_ms = milliseconds(community.ledger.now)
    readings = [seller.reading(end_ms), buyer.reading(end_ms)]
    measure("transferring", community.oracle, "oracle:report_readings", readings)
    measure("settlement", community.scheduler, "market:settle", LISTING)
    return costs
