"""Both ends of the shim protocol joined without a socket, message by message."""

from dataclasses import replace

import pytest

from chaincode.shim.chaincode import load_chaincode
from chaincode.shim.session import ChaincodeSession
from ledger.endorsement.runtimes.peer_session import (
    Execution,
    PeerSession,
    RunningTransaction,
    StreamBroken,
)
from ledger.model.codes import ValidationCode
from ledger.model.rwset import KeyRead
from ledger.model.transaction import ChaincodeEvent, ChaincodeResponse
from ledger.wire.protos_pb2 import ChaincodeID, ChaincodeInput, ChaincodeMessage
from tests.support.endorsing_world import SAMPLE_MODULE, EndorsingWorld
from tests.support.ledger_world import CHAINCODE

ID = f"{CHAINCODE}:1.0"


class Conversation:
    """A peer session and a chaincode session; messages wait until the test carries them."""

    def __init__(self, world):
        self.world = world
        self.resumed = []
        self.calls = []
        self.results = {}
        self.peer = PeerSession(
            ID, on_ready=lambda: None, on_call=lambda *call: self.calls.append(call)
        )
        self.chaincode = ChaincodeSession(
            load_chaincode(SAMPLE_MODULE), ID, on_resume=self.resumed.append
        )
        self.to_chaincode = []
        self.to_peer = [self.chaincode.hello()]
        self.seen = []

    def begin(self, function, *args, **options):
        proposal = self.world.propose(function, *args, **options)
        transaction = RunningTransaction(
            namespace=CHAINCODE,
            proposal=proposal,
            args=proposal.args,
            simulator=self.world.simulator(proposal),
            on_done=lambda outcome: self.results.__setitem__(proposal.tx_id, outcome),
        )
        self.to_chaincode.append(self.peer.begin(transaction))
        return transaction

    def carry_one(self):
        """One message each way."""
        for message in self._take(self.to_peer):
            self.to_chaincode += self.peer.receive(message)
        for message in self._take(self.to_chaincode):
            self.to_peer += self.chaincode.receive(message)

    def settle(self):
        while self.to_peer or self.to_chaincode:
            self.carry_one()

    def run(self, function, *args, **options):
        transaction = self.begin(function, *args, **options)
        self.settle()
        return self.results[transaction.proposal.tx_id]

    def submit(self, function, *args):
        result = self.run(function, *args)
        assert result.response.status == 200, result.response
        assert self.world.commit_results(result) == (ValidationCode.VALID,)
        return result

    def kinds(self):
        return [ChaincodeMessage.FromString(raw).type for raw in self.seen]

    def _take(self, queue):
        taken = queue[:]
        queue.clear()
        self.seen += taken
        return taken


@pytest.fixture
def conversation():
    conversation = Conversation(EndorsingWorld())
    conversation.settle()
    return conversation


def test_a_transaction_is_six_messages_with_batched_reads_and_writes(conversation):
    conversation.seen.clear()
    conversation.run("move", '["a","b","c"]', "d")
    assert conversation.kinds() == [
        ChaincodeMessage.TRANSACTION,
        ChaincodeMessage.GET_STATE_MULTIPLE,
        ChaincodeMessage.RESPONSE,
        ChaincodeMessage.WRITE_BATCH_STATE,
        ChaincodeMessage.RESPONSE,
        ChaincodeMessage.COMPLETED,
    ]


def test_result_event_and_read_write_set_come_out(conversation):
    conversation.submit("put", "a", "1")
    result = conversation.run("move", '["a","b"]', "d")
    assert result.response == ChaincodeResponse(200, "", b"2")
    tx_id = result.simulator.tx_id
    assert result.event == ChaincodeEvent(CHAINCODE, tx_id, "moved", b"d")
    lifecycle, market = result.simulator.results().namespaces
    assert lifecycle.reads == (KeyRead(f"namespaces/fields/{CHAINCODE}/Sequence", None),)
    assert [read.key for read in market.reads] == ["a", "b"]
    assert [(write.key, write.value) for write in market.writes] == [("d", b"1+")]


def test_many_transactions_interleave(conversation):
    started = [conversation.begin("move", f'["k{n}"]', f"t{n}") for n in range(50)]
    conversation.carry_one()
    assert conversation.results == {}
    assert len(conversation.to_peer) == 50  # all wait for their reads at the same time
    conversation.settle()
    for n, transaction in enumerate(started):
        result = conversation.results[transaction.proposal.tx_id]
        market = result.simulator.results().namespaces[1]
        assert [read.key for read in market.reads] == [f"k{n}"]
        assert [write.key for write in market.writes] == [f"t{n}"]


def test_a_scan_of_250_rows_takes_three_pages(conversation):
    conversation.submit("fill", "reading", "250")
    conversation.submit("fill", "readings", "3")
    conversation.seen.clear()
    result = conversation.run("count", "reading")
    assert result.response.payload.count(b",") == 249
    assert conversation.kinds().count(ChaincodeMessage.QUERY_STATE_NEXT) == 2
    (query,) = result.simulator.results().namespaces[1].range_queries
    assert query.exhausted


def test_a_scan_left_after_the_first_row_is_closed(conversation):
    conversation.submit("fill", "reading", "250")
    conversation.seen.clear()
    result = conversation.run("first", "reading")
    assert ChaincodeMessage.QUERY_STATE_CLOSE in conversation.kinds()
    (query,) = result.simulator.results().namespaces[1].range_queries
    assert not query.exhausted


def test_history_comes_newest_first(conversation):
    put = conversation.submit("put", "k", "1")
    removed = conversation.submit("remove", "k")
    payload = conversation.run("history", "k").response.payload.decode()
    newest, oldest = payload.index('"",'), payload.index('"1",')
    assert newest < oldest
    assert put.simulator.tx_id != removed.simulator.tx_id


def test_a_keys_own_policy_is_written_and_read(conversation):
    conversation.submit("put", "k", "1")
    conversation.submit("protect", "k", b"policy")
    world = conversation.world
    assert dict(world.store.get_state(CHAINCODE, "k").metadata) == {
        "VALIDATION_PARAMETER": b"policy"
    }
    assert conversation.run("protect", "k", b"other").response.payload == b"policy"


def test_a_refusal_keeps_no_event_and_carries_its_status(conversation):
    result = conversation.run("trouble:refuse")
    assert result.response == ChaincodeResponse(409, "NOT_TODAY: come back tomorrow", b"")
    assert result.event is None


def test_a_bug_in_one_transaction_leaves_the_others_alone(conversation):
    bad = conversation.begin("trouble:bug", "secret")
    good = conversation.begin("put", "k", "v")
    conversation.settle()
    refused = conversation.results[bad.proposal.tx_id].response
    assert (refused.status, refused.message) == (
        500,
        "INTERNAL: trouble:bug failed with ValueError",
    )
    assert conversation.results[good.proposal.tx_id].response.status == 200


def test_endless_reading_ends_at_the_read_limit(conversation):
    response = conversation.run("trouble:loop_over_keys").response
    assert response.status == 500
    assert "more than 10000 keys read" in response.message


def test_endless_recursion_is_an_ordinary_failure(conversation):
    assert "RecursionError" in conversation.run("trouble:recurse").response.message


def test_a_large_result_is_refused(conversation):
    assert conversation.run("trouble:shout", str(1024 * 1024)).response.status == 200
    response = conversation.run("trouble:shout", str(1024 * 1024 + 1)).response
    assert (response.status, response.payload) == (500, b"")
    assert response.message.startswith("RESULT_TOO_LARGE")


def test_client_time_and_transient_data_come_from_the_signed_proposal(conversation):
    participant = conversation.world.consortium.participant("IDG-7")
    who = conversation.run("who", client=participant).response.payload
    assert who == b'["CoopMSP","client","IDG-7"]'
    assert conversation.run("when").response.payload == b"2026-01-01T00:00:00+00:00"
    size = conversation.run("secret_size", transient={"secret": b"12345"}).response.payload
    assert size == b"5"


def test_a_call_to_another_chaincode_waits_for_its_answer(conversation):
    conversation.begin("call_other", "tokens", "balance")
    conversation.settle()
    ((transaction, call),) = conversation.calls
    assert (call.chaincode_name, call.channel, call.args) == ("tokens", "", (b"balance",))
    answer = Execution(ChaincodeResponse(200, "", b"42"), None, transaction.simulator)
    conversation.to_chaincode.append(conversation.peer.call_answered(transaction, answer))
    conversation.settle()
    assert conversation.results[transaction.proposal.tx_id].response.payload == b"200  42"


def test_a_second_request_while_one_waits_is_passed_over(conversation):
    conversation.begin("call_other", "tokens", "balance")
    conversation.settle()
    ((transaction, _call),) = conversation.calls
    channel_id, tx_id = transaction.key
    another = ChaincodeMessage(
        type=ChaincodeMessage.GET_STATE, payload=b"\x0a\x01k", txid=tx_id, channel_id=channel_id
    ).SerializeToString()
    assert conversation.peer.receive(another) == []
    conversation.peer.call_answered(transaction, "no such chaincode")
    (answer,) = conversation.peer.receive(another)
    assert ChaincodeMessage.FromString(answer).type == ChaincodeMessage.RESPONSE


def test_init_is_for_the_chaincode_the_client_named(conversation):
    proposal = replace(conversation.world.propose("put", "a", "1"), is_init=True)
    kinds = []
    for args in (None, (b"get", b"a")):
        transaction = RunningTransaction(
            namespace=CHAINCODE,
            proposal=proposal,
            args=args,
            simulator=conversation.world.simulator(proposal),
            on_done=lambda _: None,
        )
        begun = ChaincodeMessage.FromString(conversation.peer.begin(transaction))
        given = ChaincodeInput.FromString(begun.payload)
        kinds.append((begun.type, given.is_init, given.args[0]))
    assert kinds == [
        (ChaincodeMessage.INIT, True, b"put"),
        (ChaincodeMessage.TRANSACTION, False, b"get"),
    ]


def test_a_transaction_nobody_waits_for_ends(conversation):
    transaction = conversation.begin("move", '["a"]', "b")
    conversation.carry_one()
    conversation.peer.forget(transaction.key)
    conversation.settle()
    assert conversation.results == {}
    assert conversation.run("put", "k", "v").response.status == 200


def message(kind, payload=b""):
    return ChaincodeMessage(type=kind, payload=payload).SerializeToString()


REGISTER = message(ChaincodeMessage.REGISTER, ChaincodeID(name=ID).SerializeToString())


@pytest.mark.parametrize(
    "messages",
    [
        [b"\xff\xff\xff"],
        [message(ChaincodeMessage.COMPLETED)],
        [message(ChaincodeMessage.REGISTER, ChaincodeID(name="other:1").SerializeToString())],
        [message(ChaincodeMessage.REGISTER, b"\xff\xff")],
        [REGISTER, REGISTER],
    ],
)
def test_what_the_protocol_does_not_allow_ends_the_stream(messages):
    peer = PeerSession(ID, on_ready=lambda: None, on_call=lambda *_: None)
    *allowed, forbidden = messages
    for raw in allowed:
        peer.receive(raw)
    with pytest.raises(StreamBroken):
        peer.receive(forbidden)


def ask(conversation, kind, payload):
    """Send a request of our own making in place of a waiting contract."""
    transaction = conversation.begin("move", '["a"]', "b")
    conversation.carry_one()
    channel_id, tx_id = transaction.key
    raw = ChaincodeMessage(type=kind, payload=payload, txid=tx_id, channel_id=channel_id)
    (answer,) = conversation.peer.receive(raw.SerializeToString())
    return ChaincodeMessage.FromString(answer)


@pytest.mark.parametrize(
    ("kind", "payload", "text"),
    [
        (ChaincodeMessage.GET_STATE, b"\x0a\x01k\x12\x01c", "/market/c could not be found"),
        (ChaincodeMessage.PURGE_PRIVATE_DATA, b"\x0a\x01k", "only applicable for private data"),
        (ChaincodeMessage.GET_QUERY_RESULT, b"", "the query is not JSON"),
        (ChaincodeMessage.GET_STATE, b"\xff\xff", "does not parse"),
        (ChaincodeMessage.GET_STATE, b"", "must not be empty"),
        (ChaincodeMessage.QUERY_STATE_NEXT, b"\x0a\x01x", "no open query"),
        (99, b"", "not supported"),
    ],
)
def test_a_request_the_peer_cannot_serve_gets_an_error_with_its_reason(
    conversation, kind, payload, text
):
    answer = ask(conversation, kind, payload)
    assert answer.type == ChaincodeMessage.ERROR
    assert text in answer.payload.decode()


def test_a_chaincode_for_peers_before_batches_reads_and_writes_one_by_one(conversation):
    conversation.chaincode.receive(message(ChaincodeMessage.READY))
    conversation.seen.clear()
    conversation.run("move", '["a","b"]', "d")
    assert conversation.kinds().count(ChaincodeMessage.GET_STATE) == 2
    assert conversation.kinds().count(ChaincodeMessage.PUT_STATE) == 1
    assert ChaincodeMessage.WRITE_BATCH_STATE not in conversation.kinds()
