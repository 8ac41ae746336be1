"""The set digest is a sum lane by lane: order and history do not matter, content does."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from ledger.crypto.set_digest import EMPTY_SET, LANES, SET_DIGEST_BYTES, SetDigest

ELEMENTS = st.lists(st.binary(max_size=8), unique=True, max_size=8)


def of(*elements: bytes) -> SetDigest:
    return EMPTY_SET.changed(added=elements, removed=())


def lanes_of(element: bytes) -> list[int]:
    """The rule of docs/wire.md, read by hand."""
    raw = hashlib.shake_256(b"gridledger set digest v1" + element).digest(SET_DIGEST_BYTES)
    return [raw[2 * lane] + 256 * raw[2 * lane + 1] for lane in range(LANES)]


def test_the_digest_is_the_sum_of_lanes():
    first, second, third = lanes_of(b"a"), lanes_of(b""), lanes_of(b"gone")
    before = of(b"a", b"gone")
    expected = b"".join(
        ((a + b) % 65_536).to_bytes(2, "little") for a, b in zip(first, second, strict=True)
    )
    assert before.changed(added=[b""], removed=[b"gone"]).lanes == expected
    alone = EMPTY_SET.changed(added=(), removed=[b"gone"])
    assert alone.lanes == b"".join((-lane % 65_536).to_bytes(2, "little") for lane in third)


@given(elements=ELEMENTS, order=st.randoms())
def test_the_order_does_not_matter(elements, order):
    shuffled = list(elements)
    order.shuffle(shuffled)
    step_by_step = EMPTY_SET
    for element in shuffled:
        step_by_step = step_by_step.changed(added=[element], removed=[])
    assert step_by_step == of(*elements)


@given(kept=ELEMENTS, passing=ELEMENTS)
def test_what_came_and_went_leaves_no_trace(kept, passing):
    passing = [element for element in passing if element not in kept]
    assert of(*kept, *passing).changed(added=[], removed=passing) == of(*kept)


@given(first=ELEMENTS, second=ELEMENTS)
def test_equal_digests_mean_equal_sets(first, second):
    assert (of(*first) == of(*second)) == (set(first) == set(second))


def test_more_elements_than_a_lane_can_count_add_up():
    """Lanes are summed in 32 bits: 65,536 terms fit, one more must be folded before."""
    count = 65_537
    lane = lanes_of(b"x")
    expected = b"".join((count * one % 65_536).to_bytes(2, "little") for one in lane)
    assert EMPTY_SET.changed(added=(b"x" for _ in range(count)), removed=()).lanes == expected
