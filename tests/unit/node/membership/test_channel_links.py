"""Where a validator looks for the others: in its operator's file or in the channel."""

from dataclasses import replace
from pathlib import Path

import pytest

from ledger.node.membership import channel_links
from ledger.node.membership.channel_links import ChannelLinks, founding_addresses
from ledger.node.membership.credentials import Credentials
from tests.support.config_world import ConfigWorld
from tests.unit.node.membership.test_credentials import LAST, Folder

IN_FILE = {1: "relay:7001", 2: "relay:7002", 5: "relay:7005"}


class Opened:
    """Takes the links, with nobody at the other end."""

    def __init__(self) -> None:
        self.addresses: dict[int, str] = {}
        self.newest = ""

    def channel(self, address: str, _tls: object) -> None:
        self.newest = address

    def put(self, link: channel_links.ValidatorLink) -> None:
        self.addresses[link.consenter_id] = self.newest

    def drop(self, consenter_id: int) -> None:
        del self.addresses[consenter_id]


@pytest.fixture
def world() -> ConfigWorld:
    return ConfigWorld()


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Opened:
    made = Opened()
    monkeypatch.setattr(channel_links, "validator_channel", made.channel)
    monkeypatch.setattr(channel_links, "ValidatorLink", lambda number, _channel: Linked(number))
    return made


class Linked:
    """A link to this consenter."""

    def __init__(self, consenter_id: int) -> None:
        self.consenter_id = consenter_id


def started(world: ConfigWorld, folder: Path, opened: Opened) -> ChannelLinks:
    """As validator 4 begins, on the channel as it is now."""
    member = world.consortium.members[LAST - 1]
    made = Folder(folder)
    made.write("node", member.node_keys)
    made.write("tls", member.tls)
    (folder / "bundle.pem").write_bytes(member.authority.tls.certificate_pem)
    links = ChannelLinks(
        own_id=LAST,
        channel=world.channel,
        credentials=Credentials(made.config(), world.channel),
        links=opened,
        addresses=IN_FILE,
        founding=founding_addresses(world.consortium.genesis),
    )
    links.refresh()
    return links


def move_first(world: ConfigWorld) -> None:
    first, *others = world.config.consenters
    world.reconfigure(world.with_consenters(replace(first, host="moved", port=9), *others))


def test_the_file_goes_before_the_genesis_block(world, tmp_path, opened):
    started(world, tmp_path, opened)
    third = world.config.consenters[2]
    named = f"{third.host}:{third.port}"
    assert opened.addresses == {1: "relay:7001", 2: "relay:7002", 3: named}


def test_a_move_on_the_ledger_goes_before_the_file(world, tmp_path, opened):
    links = started(world, tmp_path, opened)
    move_first(world)
    links.refresh()
    assert opened.addresses[1] == "moved:9"
    assert opened.addresses[2] == "relay:7002", "nobody else is sought elsewhere"


def test_and_after_a_restart_with_the_old_file(world, tmp_path, opened):
    move_first(world)
    started(world, tmp_path, opened)
    assert opened.addresses[1] == "moved:9"


def test_one_that_was_added_is_sought_where_the_ledger_says(world, tmp_path, opened):
    links = started(world, tmp_path, opened)
    world.reconfigure(world.with_consenters(*world.config.consenters, world.candidate(5)))
    links.refresh()
    assert opened.addresses[5] == "127.0.0.1:20005"
