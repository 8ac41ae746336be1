"""The local price of the newest cleared hour, and the hour that takes orders now.

python price_and_next_gate.py http://127.0.0.1:8080
"""

import sys
from datetime import UTC, datetime

from gridledger_client import Client
from gridledger_client.api.market import listings, result

UTOKEN_PER_TOKEN = 1_000_000


def main(url: str) -> None:
    """Nobody has to sign in for prices."""
    client = Client(base_url=url, raise_on_unexpected_status=True)
    hours = listings.sync(client=client, limit=48).items  # the latest delivery first
    cleared = [hour for hour in hours if hour.state in {"CLEARED", "DELIVERING", "SETTLED"}]
    if cleared:
        auction = result.sync(cleared[0].listing_id, client=client)
        price = auction.price_utoken_per_kwh
        told = "nothing was traded"
        if price is not None:
            told = f"{price / UTOKEN_PER_TOKEN:.3f} tokens per kWh"
        print(f"{auction.listing_id}: {told}")
    open_now = [hour for hour in hours if hour.state == "AUTHORIZE_OFFERS"]
    if not open_now:
        print("no hour takes orders now")
        return
    following = min(open_now, key=lambda hour: hour.gate_closure_ms)
    gate = datetime.fromtimestamp(following.gate_closure_ms / 1000, UTC)
    print(f"{following.listing_id}: takes orders until {gate:%Y-%m-%d %H:%M:%S} UTC")


if __name__ == "__main__":
    main(*sys.argv[1:])
