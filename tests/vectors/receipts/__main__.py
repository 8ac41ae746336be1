"""Writes the vectors anew: receipts, forged ones, and the validators, for Python and the page.

`.venv/bin/python -m tests.vectors.receipts` after a change of the format; keys and signatures are
new each time, so all files change together.
"""

import base64
import json
from pathlib import Path

from ledger.receipts.receipt import encode_receipt
from ledger.receipts.trust import encode_trust, fingerprint
from tests.support.receipt_world import FORGERIES, ReceiptWorld

FOLDER = Path(__file__).parent


def main() -> None:
    world = ReceiptWorld()
    good = encode_receipt(world.receipt())
    (FOLDER / "settlement.receipt").write_bytes(good)
    (FOLDER / "refused-transaction.receipt").write_bytes(encode_receipt(world.receipt(2, None)))
    (FOLDER / "validators.json").write_bytes(encode_trust(world.trusted))
    cases = [
        {
            "name": name,
            "step": step,
            "problem": problem,
            "receipt": base64.b64encode(encode_receipt(forge(world))).decode(),
        }
        for name, (forge, step, problem) in FORGERIES.items()
    ]
    content = {"fingerprint": fingerprint(world.trusted), "forgeries": cases}
    (FOLDER / "cases.json").write_text(json.dumps(content, indent=1) + "\n")


main()
