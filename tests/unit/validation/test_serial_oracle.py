"""Random blocks: codes and state equal those of a naive, one-by-one execution."""

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.model.codes import ValidationCode
from ledger.model.rwset import KeyRead, KeyWrite, RangeQuery, Version
from tests.support.ledger_world import CHAINCODE, LedgerWorld, market

KEYS = ("a", "b", "c", "d")
PHANTOM, MVCC = ValidationCode.PHANTOM_READ_CONFLICT, ValidationCode.MVCC_READ_CONFLICT
State = dict[str, tuple[bytes, Version]]


@dataclass(frozen=True)
class Plan:
    """What a transaction will do, and how many blocks before its block it was simulated."""

    reads: frozenset[str]
    scan: tuple[str, str] | None
    writes: dict[str, bytes]
    age: int


PLANS = st.builds(
    Plan,
    reads=st.frozensets(st.sampled_from(KEYS), max_size=2),
    scan=st.none() | st.tuples(st.sampled_from(KEYS), st.sampled_from((*KEYS, ""))),
    writes=st.dictionaries(st.sampled_from(KEYS), st.sampled_from([b"", b"1", b"2"]), max_size=2),
    age=st.integers(0, 2),
)
BLOCKS = st.lists(st.lists(PLANS, min_size=1, max_size=6), min_size=1, max_size=3)


@dataclass
class Oracle:
    """Executes transactions one after another, keeping every block's state."""

    states: list[State] = field(default_factory=lambda: [{}])

    def simulate(self, plan: Plan) -> tuple[list[KeyRead], list[RangeQuery], list[KeyWrite]]:
        seen = self.states[max(0, len(self.states) - 1 - plan.age)]
        reads = [KeyRead(key, seen[key][1] if key in seen else None) for key in sorted(plan.reads)]
        ranges = [] if plan.scan is None else [self.scan(seen, *plan.scan)]
        writes = [KeyWrite(key, value, not value) for key, value in sorted(plan.writes.items())]
        return reads, ranges, writes

    @staticmethod
    def scan(state: State, start: str, end: str) -> RangeQuery:
        found = sorted(key for key in state if start <= key and (not end or key < end))
        return RangeQuery(start, end, True, tuple(KeyRead(key, state[key][1]) for key in found))

    def execute(self, block_number: int, plans: list[Plan]) -> list[ValidationCode]:
        state, touched, codes = dict(self.states[-1]), set(), []
        for index, plan in enumerate(plans):
            reads, ranges, writes = self.simulate(plan)
            code = self.judge(state, touched, reads, ranges)
            codes.append(code)
            for write in writes if code == ValidationCode.VALID else ():
                touched.add(write.key)
                state.pop(write.key, None)
                if not write.is_delete:
                    state[write.key] = (write.value, Version(block_number, index))
        self.states.append(state)
        return codes

    def judge(self, state, touched, reads, ranges) -> ValidationCode:
        for read in reads:
            current = state[read.key][1] if read.key in state else None
            if read.key in touched or current != read.version:
                return MVCC
        for query in ranges:
            if self.scan(state, query.start_key, query.end_key) != query:
                return PHANTOM
        return ValidationCode.VALID


@settings(max_examples=120, deadline=None)
@given(blocks=BLOCKS)
def test_codes_and_state_equal_serial_execution(blocks):
    world, oracle = LedgerWorld(), Oracle()
    for number, plans in enumerate(blocks, start=1):
        entries = []
        for plan in plans:
            reads, ranges, writes = oracle.simulate(plan)
            entries.append(world.transaction(market(reads=reads, ranges=ranges, writes=writes)))
        expected = oracle.execute(number, plans)
        assert list(world.commit(*entries)) == expected
        stored = {
            key: (value.value, value.version)
            for key, value in world.store.range_state(CHAINCODE, "", "")
        }
        assert stored == oracle.states[-1]
    assert world.verify_chain() == len(blocks) + 1
