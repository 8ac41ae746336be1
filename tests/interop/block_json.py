"""`configtxlator proto_decode`: a block as JSON with the messages inside its bytes decoded too.

Only the parts between a block and the events of its transactions, which is what suites look at.
"""

import argparse
import base64
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from ledger.wire import common_pb2, protos_pb2

ENDORSER_TRANSACTION = 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Read one block, write its JSON."""
    parser = argparse.ArgumentParser(prog="configtxlator")
    parser.add_argument("action", choices=("proto_decode",))
    parser.add_argument("--type", choices=("common.Block",), required=True)
    parser.add_argument("--input", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args(arguments)
    block = common_pb2.Block.FromString(options.input.read_bytes())
    options.output.write_text(json.dumps(block_tree(block)), encoding="utf-8")
    return 0


def block_tree(block: common_pb2.Block) -> dict[str, Any]:
    """Header, and each entry's payload."""
    return {
        "header": _shown(block.header),
        "data": {"data": [_entry(raw) for raw in block.data.data]},
    }


def _entry(raw: bytes) -> dict[str, Any]:
    envelope = common_pb2.Envelope.FromString(raw)
    payload = common_pb2.Payload.FromString(envelope.payload)
    header = common_pb2.ChannelHeader.FromString(payload.header.channel_header)
    data: Any = base64.b64encode(payload.data).decode()
    if header.type == ENDORSER_TRANSACTION:
        transaction = protos_pb2.Transaction.FromString(payload.data)
        data = {"actions": [_action(action) for action in transaction.actions]}
    return {"payload": {"header": {"channel_header": _shown(header)}, "data": data}}


def _action(action: protos_pb2.TransactionAction) -> dict[str, Any]:
    payload = protos_pb2.ChaincodeActionPayload.FromString(action.payload)
    response = protos_pb2.ProposalResponsePayload.FromString(
        payload.action.proposal_response_payload
    )
    result = protos_pb2.ChaincodeAction.FromString(response.extension)
    event = protos_pb2.ChaincodeEvent.FromString(result.events)
    extension = {**_shown(result), "events": _shown(event)}
    answered = {**_shown(response), "extension": extension}
    return {"payload": {"action": {"proposal_response_payload": answered}}}


def _shown(message: Message) -> dict[str, Any]:
    shown: dict[str, Any] = MessageToDict(message, preserving_proto_field_name=True)
    return shown


if __name__ == "__main__":
    sys.exit(main())
