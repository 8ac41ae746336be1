"""docs/consensus.md states the limits that the code has."""

import re
from pathlib import Path

from ledger.consensus import limits

ROW = re.compile(r"^\| `([A-Z_]+)` \| (\d+) \|", re.MULTILINE)


def test_the_table_of_limits_is_the_codes():
    text = (Path(__file__).parents[3] / "docs" / "consensus.md").read_text(encoding="utf-8")
    written = {name: int(value) for name, value in ROW.findall(text)}
    assert written == {name: value for name, value in vars(limits).items() if name.isupper()}
