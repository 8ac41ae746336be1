"""Follow the ledger's events, and go on after the last one seen when started again.

python follow_events.py http://127.0.0.1:8080 last-block.txt [how many blocks]

The id of an event is its block's number: sent as `Last-Event-ID`, nothing is missed, whether the
gateway was away or this script.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
from gridledger_client.models import NewBlock

FROM_THE_BEGINNING = "0"
ENDLESS = 2**62


def main(url: str, remembered_in: str, blocks: str = str(ENDLESS)) -> None:
    """One line per contract event."""
    memory, left = Path(remembered_in), int(blocks)
    while left > 0:
        last = memory.read_text(encoding="utf-8") if memory.exists() else FROM_THE_BEGINNING
        for block in stream(url, last):
            for event in block.events:
                print(f"block {block.number}: {event.name} {event.transaction_id[:12]}")
            memory.write_text(str(block.number), encoding="utf-8")
            left -= 1
            if left == 0:
                break


def stream(url: str, last_event_id: str) -> Iterator[NewBlock]:
    """Blocks after the one with this number, until the gateway ends the stream."""
    headers = {"Last-Event-ID": last_event_id}
    with httpx.stream("GET", f"{url}/v1/events", headers=headers, timeout=60) as answer:
        answer.raise_for_status()
        for line in answer.iter_lines():
            if line.startswith("data:"):
                yield NewBlock.from_dict(json.loads(line.removeprefix("data:")))


if __name__ == "__main__":
    main(*sys.argv[1:])
