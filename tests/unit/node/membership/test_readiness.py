"""Whether those who can be reached could go on after a change; who follows without a vote."""

from dataclasses import replace

import pytest

from ledger.crypto.certificates import parse_certificate
from ledger.errors import InvalidMessage, Reason
from ledger.model.config import BatchLimits
from ledger.node.following.observers import OBSERVERS_MAX, Observers, observer_number
from ledger.node.membership.readiness import Readiness
from ledger.wire.validator_pb2 import BlockRequest, Item, Status, TransactionBatch
from tests.support.config_world import ConfigWorld


@pytest.fixture(scope="module")
def world() -> ConfigWorld:
    return ConfigWorld()


def check(
    world: ConfigWorld, new, *, down=(), candidate: int | None = 10, old=None
) -> InvalidMessage | None:
    readiness = Readiness(
        own_id=1,
        is_connected=lambda consenter_id: consenter_id not in down,
        observer_height=lambda _key: candidate,
        height=lambda: 10,
    )
    try:
        readiness.check(old or world.config, new)
    except InvalidMessage as error:
        return error
    return None


def five(world: ConfigWorld):
    return world.with_consenters(*world.config.consenters, world.candidate(5))


def rotated(world: ConfigWorld):
    *others, last = world.config.consenters
    changed = replace(last, identity_pem=world.candidate(4, member_index=3).identity_pem)
    return world.with_consenters(*others, changed)


def test_an_addition_needs_a_candidate_that_follows_and_a_quorum_with_it(world):
    assert check(world, five(world)) is None
    assert check(world, five(world), down=(3,)) is None, "four of five can be reached"
    refused = check(world, five(world), down=(3, 4))
    assert refused is not None
    assert refused.reason is Reason.QUORUM_AT_RISK
    assert "validator 3 (DsoMSP, 127.0.0.1:" in refused.detail
    assert "validator 4 (UtilityMSP, 127.0.0.1:" in refused.detail


@pytest.mark.parametrize(("height", "word"), [(None, "not connected"), (8, "8 of 10 blocks")])
def test_a_candidate_that_is_not_there_or_behind(world, height, word):
    refused = check(world, five(world), candidate=height)
    assert refused is not None
    assert refused.reason is Reason.VALIDATOR_NOT_READY
    assert word in refused.detail


def test_a_candidate_one_block_behind_will_do(world):
    assert check(world, five(world), candidate=9) is None


def test_a_removal_counts_those_who_stay(world):
    old = five(world)
    new = world.with_consenters(*world.config.consenters, removed_consenter_id=5)
    assert check(world, new, old=old, down=(5,)) is None
    assert check(world, new, old=old, down=(4,)) is None
    refused = check(world, new, old=old, down=(3, 4))
    assert refused is not None
    assert refused.reason is Reason.QUORUM_AT_RISK


def test_a_new_key_counts_only_once_it_is_in_force(world):
    assert check(world, rotated(world)) is None
    refused = check(world, rotated(world), down=(2,))
    assert refused is not None
    assert "validator 4" in refused.detail
    assert "gets a new key" in refused.detail
    assert "validator 2 (MunicipalityMSP" in refused.detail


def moved(world: ConfigWorld, consenters):
    *others, last = consenters
    return world.with_consenters(*others, replace(last, port=last.port + 1))


def test_a_new_address_counts_only_once_it_is_in_force(world):
    """The link to the old one says nothing of whether anybody listens at the new one."""
    assert check(world, moved(world, world.config.consenters)) is None
    old = five(world)
    assert check(world, moved(world, old.consenters), old=old) is None, "four of five stay"
    refused = check(world, moved(world, old.consenters), old=old, down=(2,))
    assert refused is not None
    assert refused.reason is Reason.QUORUM_AT_RISK
    assert "5 validators need 4, 3 can be counted on now: validator 2" in refused.detail
    assert "127.0.0.1:20006) moves there from 127.0.0.1:20005" in refused.detail


def test_a_validator_that_moves_itself_counts_as_down_too(world):
    first, *others = world.config.consenters
    new = world.with_consenters(replace(first, host="elsewhere.example"), *others)
    assert check(world, new) is None
    refused = check(world, new, down=(3,))
    assert refused is not None
    assert refused.reason is Reason.QUORUM_AT_RISK
    assert "elsewhere.example" in refused.detail


def test_what_changes_no_validator_is_nobodys_concern(world):
    new = replace(world.config, batch_limits=BatchLimits(max_transactions=7))
    assert check(world, new, down=(2, 3, 4)) is None


# -- observers ------------------------------------------------------------------------------------


class Stream:
    def __init__(self) -> None:
        self.sent: list[Item] = []

    def reply(self, item: Item) -> bool:
        self.sent.append(item)
        return True


def observers_of(world: ConfigWorld) -> Observers:
    return Observers(world.channel, lambda: Status(height=7))


def status(height: int) -> Item:
    return Item(status=Status(height=height))


def test_validators_are_known_by_their_keys_and_others_get_a_negative_number(world):
    observers = observers_of(world)
    for consenter in world.config.consenters:
        key = parse_certificate(consenter.client_tls_cert).public_key_der
        assert observers.identify(key) == consenter.consenter_id
    number = observers.identify(b"somebody else's key")
    assert number is not None
    assert number < 0


def test_an_observer_is_told_at_once_and_after_every_block(world):
    observers, stream = observers_of(world), Stream()
    number = observer_number(b"key")
    assert observers.heard(number, status(3), stream.reply)
    assert stream.sent == [status(7)]
    observers.tell_all()
    assert stream.sent == [status(7), status(7)]
    assert observers.height_of(b"key") == 3
    request = Item(block_request=BlockRequest(from_number=6, to_number=9))
    assert observers.heard(number, request, stream.reply)
    assert observers.height_of(b"key") == 6, "it has what it does not ask for"
    observers.closed(number)
    assert observers.height_of(b"key") is None


def test_an_observer_may_do_nothing_else(world):
    observers, stream = observers_of(world), Stream()
    for item in (Item(transactions=TransactionBatch()), Item(consensus_message=b"vote")):
        assert not observers.heard(observer_number(b"key"), item, stream.reply)
    assert stream.sent == []


def test_there_is_room_for_some_observers_only(world):
    observers = observers_of(world)
    for number in range(OBSERVERS_MAX):
        assert observers.heard(observer_number(bytes([number])), status(1), Stream().reply)
    assert observers.identify(b"one too many") is None
    assert observers.identify(bytes([1])) == observer_number(bytes([1])), "those inside stay"
