"""What a contract may not do with its stub, and what ends its session."""

from contextlib import suppress

import pytest

from chaincode.shim import ChaincodeStub, Context, Contract, ContractError, query
from chaincode.shim.chaincode import Chaincode
from chaincode.shim.errors import ProtocolError
from chaincode.shim.session import IN_FLIGHT_MAX, ChaincodeSession
from ledger.wire import protos_pb2
from tests.unit.shim.scripted_peer import CHANNEL, SIGNED, M, Peer, keys_of


async def _composite(stub: ChaincodeStub, attribute: str) -> None:
    stub.create_composite_key("type", [attribute])


@pytest.mark.parametrize(
    ("use", "code"),
    [
        (lambda s: s.get_private_data("", "k"), "INVALID_COLLECTION"),
        (lambda s: s.put_private_data("", "k", b"v"), "INVALID_COLLECTION"),
        (lambda s: s.purge_private_data("c", ""), "INVALID_KEY"),
        (lambda s: s.get_multiple_private_data("c", ["a", "\0"]), "INVALID_KEY"),
        (lambda s: keys_of(s.get_state_by_range("\0a", "")), "INVALID_KEY"),
        (lambda s: keys_of(s.get_query_result("")), "INVALID_ARGUMENT"),
        (lambda s: s.get_state_by_range_with_pagination("", "", 0), "INVALID_ARGUMENT"),
        (lambda s: s.get_query_result_with_pagination("{}", 2**31), "INVALID_ARGUMENT"),
        (lambda s: s.put_state("\ud800", b"v"), "INVALID_KEY"),
        (lambda s: _composite(s, "\ud800"), "INVALID_KEY"),
        (lambda s: keys_of(s.get_state_by_range("a", "\ud800")), "INVALID_KEY"),
        (lambda s: s.set_state_validation_parameter("", b""), "INVALID_KEY"),
        (lambda s: s.get_private_data_validation_parameter("", "k"), "INVALID_COLLECTION"),
    ],
)
def test_a_wrong_use_is_refused_before_anything_is_sent(use, code):
    peer = Peer(use)
    response = peer.run()
    assert response.status == 400
    assert response.message.startswith(code)
    assert peer.requests == []


@pytest.mark.parametrize("name", ["n" * 129, "\udfff"])
def test_an_event_name_is_text_and_has_a_length(name):
    async def loud(stub: ChaincodeStub) -> None:
        stub.set_event(name, b"")

    assert Peer(loud).run().message.startswith("INVALID_EVENT")
    assert Peer(loud).run().status == 400


@pytest.mark.parametrize(
    "use",
    [
        lambda s: s.put_private_data("\ud800", "k", b"v"),
        lambda s: keys_of(s.get_query_result("\ud800")),
        lambda s: s.invoke_chaincode("\ud800", []),
        lambda s: s.put_state("k", 7),
    ],
)
def test_what_cannot_be_sent_fails_its_own_transaction_only(use):
    """Whatever a client made the contract ask: the others in the process go on."""
    response = Peer(use).run()
    assert response.status == 500
    assert response.message.startswith("INTERNAL: ")


def test_a_contract_that_insists_on_what_cannot_be_sent_is_ended():
    async def insisting(stub: ChaincodeStub) -> None:
        while True:
            with suppress(ValueError):
                await stub.invoke_chaincode("\ud800", [])

    response = Peer(insisting).run()
    assert response.message == "INTERNAL: a request cannot be sent (UnicodeEncodeError)"


def test_what_a_refusal_quotes_need_not_be_text():
    async def quoting(_stub: ChaincodeStub) -> None:
        raise ContractError("UNKNOWN", "there is no \ud800")

    assert Peer(quoting).run().message == "UNKNOWN: there is no \\ud800"


def test_a_session_runs_so_many_transactions_and_no_more():
    session = Peer(lambda s: s.get_state("k")).session
    given = protos_pb2.ChaincodeInput(args=[b"run"]).SerializeToString()
    start = M(type=M.TRANSACTION, payload=given, channel_id=CHANNEL, proposal=SIGNED)
    for number in range(IN_FLIGHT_MAX + 1):
        start.txid = str(number)
        (answer,) = session.receive(start.SerializeToString())
    refused = M.FromString(answer)
    assert (refused.type, refused.txid) == (M.COMPLETED, str(IN_FLIGHT_MAX))
    assert b"OVERLOADED" in refused.payload
    assert not session.is_idle


def test_a_transaction_that_runs_already_ends_the_session():
    session = Peer(lambda s: s.get_state("k")).session
    given = protos_pb2.ChaincodeInput(args=[b"run"]).SerializeToString()
    start = M(type=M.TRANSACTION, payload=given, txid="t", channel_id="c", proposal=SIGNED)
    session.receive(start.SerializeToString())
    with pytest.raises(ProtocolError, match="already running"):
        session.receive(start.SerializeToString())


class Careless(Contract):
    @query
    async def peek(self, ctx: Context) -> None:
        await ctx.stub.put_private_data("c", "k", b"v")


def test_a_query_may_not_write_private_data_either():
    session = ChaincodeSession(Chaincode([Careless()]), "careless:1")
    given = protos_pb2.ChaincodeInput(args=[b"peek"]).SerializeToString()
    start = M(type=M.TRANSACTION, payload=given, txid="t", channel_id="c", proposal=SIGNED)
    (answer,) = session.receive(start.SerializeToString())
    assert b"QUERY_WRITES" in M.FromString(answer).payload


def test_a_contract_error_keeps_its_event_and_writes_to_itself():
    async def refuse(stub: ChaincodeStub) -> None:
        await stub.put_state("k", b"v")
        stub.set_event("happened", b"")
        raise ContractError("NO", "not now", 409)

    peer = Peer(refuse)
    response = peer.run()
    assert (response.status, response.message) == (409, "NO: not now")
    assert peer.requests == []
