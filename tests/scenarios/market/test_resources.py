"""The table of resources lists every operation of a window against the block of 30 million."""

import pytest

from tests.scenarios.market.narration import Story
from tests.scenarios.market.resources import BLOCK_UNITS, DOCUMENTED_GAS, run


@pytest.mark.row("E116")
def test_every_operation_of_a_window_has_its_cost_against_the_block() -> None:
    lines: list[str] = []
    costs = {cost.operation: cost for cost in run(Story(lines.append))}
    assert costs.keys() == DOCUMENTED_GAS.keys()
    for cost in costs.values():
        assert cost.in_a_block * cost.units <= BLOCK_UNITS < (cost.in_a_block + 1) * cost.units
        assert cost.written_bytes < cost.transaction_bytes < 2**20
        row = next(line for line in lines if line.strip().startswith(cost.operation))
        assert f"{cost.units:,}" in row
        assert f"{cost.share:.2%}" in row
    assert costs["settlement"].units > costs["submit offer"].units
    assert costs["submit bid"].writes > costs["submit offer"].writes, "a bid locks its money"
    assert all(cost.share < 0.1 for cost in costs.values())


def test_the_same_window_costs_the_same_again() -> None:
    assert run(Story()) == run(Story())
