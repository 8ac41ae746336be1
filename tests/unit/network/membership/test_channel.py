"""Where a member's command finds the peers."""

from dataclasses import replace
from pathlib import Path

from network.layout import NetworkLayout
from network.membership.channel import ActingMember, peer_addresses
from network.plan import default_plan_text, load_plan
from tests.support.config_world import ConfigWorld


def test_a_peer_is_asked_where_the_plan_has_it_now(tmp_path: Path) -> None:
    """A port changed in the plan counts from the next `network up`; the channel keeps the old."""
    state = ConfigWorld().channel.state
    first, second, *_ = state.config.members
    known = {first.mspid: (("old.example", 7051),), second.mspid: (("other.example", 7052),)}
    members = tuple(
        replace(one, anchor_peers=known.get(one.mspid, ())) for one in state.config.members
    )
    state = replace(state, config=replace(state.config, members=members))
    path = tmp_path / "network.toml"
    path.write_text(default_plan_text(), encoding="utf-8")
    plan = load_plan(path)
    mine = replace(plan.members[0], mspid=first.mspid, host="127.0.0.1", port=9999)
    ids = {one.mspid: one.consenter_id for one in state.config.consenters}
    acting = ActingMember(replace(plan, members=(mine,)), NetworkLayout(tmp_path), mine)
    addresses = peer_addresses(acting, state)
    assert addresses[ids[first.mspid]] == "127.0.0.1:9999"
    assert addresses[ids[second.mspid]] == "other.example:7052"
