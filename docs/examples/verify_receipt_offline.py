r"""Fetch the receipt of a settled hour, then check it without asking anybody.

GRIDLEDGER_TOKEN=glt_... python verify_receipt_offline.py http://127.0.0.1:8080 FON-0001-5 \
    2016-08-01T20

What is trusted is the list of validators: compare its fingerprint with one that came another way.
Beside the generated client this needs the package gridledger; `gridledger verify-receipt` does
the same with files.
"""

import os
import sys

from gridledger_client import AuthenticatedClient
from gridledger_client.api.receipts import settlement_receipt, validators

from ledger.receipts.checking import check_receipt
from ledger.receipts.trust import decode_trust, fingerprint


def main(url: str, idgrid: str, listing_id: str) -> None:
    """The token needs the scope own:read."""
    with AuthenticatedClient(base_url=url, token=os.environ["GRIDLEDGER_TOKEN"]) as client:
        listed = validators.sync_detailed(client=client).content
        receipt = settlement_receipt.sync_detailed(listing_id, client=client, idgrid=idgrid)
    # From here on nothing is asked of anybody.
    trusted = decode_trust(listed)
    proven = check_receipt(receipt.content, trusted)
    print(f"validators {fingerprint(trusted)}")
    print(f"proven in block {proven.block_number}: {proven.write.key}")


if __name__ == "__main__":
    main(*sys.argv[1:])
