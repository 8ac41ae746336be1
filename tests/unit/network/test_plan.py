"""The plan file: the default reads back, and every mistake is named by its field."""

import dataclasses
import tomllib
from pathlib import Path
from typing import Any

import pytest

from ledger.crypto.policy_text import majority_of_peers
from ledger.node.process.disk_watch import SpaceLimits
from ledger.node.settings.config import load_config
from network.founding.peer_settings import peer_settings, write_peer_settings
from network.layout import NetworkLayout, make_private_folder
from network.plan import (
    BlockPlan,
    ChaincodePlan,
    DiskPlan,
    MemberPlan,
    default_plan_text,
    load_plan,
    parse_plan,
)
from network.plan_table import PlanError


def table() -> dict[str, Any]:
    return tomllib.loads(default_plan_text())


def refusal(changed: dict[str, Any]) -> PlanError:
    with pytest.raises(PlanError) as caught:
        parse_plan(changed, folder=Path("/somewhere"))
    return caught.value


def test_the_default_plan_has_four_members_and_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "network.toml"
    path.write_text(default_plan_text(), encoding="utf-8")
    plan = load_plan(path)
    assert [member.id for member in plan.members] == [
        "cooperative",
        "municipality",
        "dso",
        "utility",
    ]
    assert [member.consenter_id for member in plan.members] == [1, 2, 3, 4]
    assert plan.channel_id == "energy"
    assert plan.data_dir == tmp_path / "network-data"
    assert plan.blocks.max_transactions == 500
    assert plan.blocks.max_bytes == 2 * 1024 * 1024
    assert plan.blocks.min_interval_ms == 5_000
    assert plan.member("dso").mspid == "DsoMSP"


def test_without_a_policy_a_majority_of_members_endorses() -> None:
    plan = parse_plan(table(), folder=Path("/somewhere"))
    expected = majority_of_peers(["CooperativeMSP", "MunicipalityMSP", "DsoMSP", "UtilityMSP"])
    assert plan.chaincodes[0].endorsement_policy == expected
    assert expected.startswith("OutOf(3, 'CooperativeMSP.peer', ")
    assert majority_of_peers(["A", "B", "C", "D", "E"]).startswith("OutOf(3,")
    assert majority_of_peers(["A", "B", "C", "D", "E", "F"]).startswith("OutOf(4,")


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        (("network", "name"), "Has Spaces", "network.name"),
        (("network", "channel"), "Energy", "network.channel"),
        (("network", "colour"), "green", "network.colour"),
        (("network", "certificate_days"), 0, "network.certificate_days"),
        (("blocks", "max_transactions"), 0, "blocks.max_transactions"),
        (("blocks", "max_bytes"), "2 MiB", "blocks.max_bytes"),
        (("blocks", "min_interval_ms"), -1, "blocks.min_interval_ms"),
        (("blocks", "min_interval_ms"), True, "blocks.min_interval_ms"),
        (("gateway", "port"), 70_000, "gateway.port"),
        (("members", 2, "port"), 7051, "members[2].port"),
        (("members", 1, "id"), "cooperative", "members[1].id"),
        (("members", 3, "mspid"), "DsoMSP", "members[3].mspid"),
        (("members", 0, "validator_port"), 7051, "members[0].validator_port"),
        (("members", 0, "host"), "", "members[0].host"),
        (("members", 0, "id"), "../escape", "members[0].id"),
        (("chaincodes", 0, "module"), "os; import sys", "chaincodes[0].module"),
        (("chaincodes", 0, "sequence"), 1.5, "chaincodes[0].sequence"),
        (("members",), [], "members"),
        (("chaincodes",), {"name": "energy"}, "chaincodes"),
        (("networks",), {}, "networks"),
    ],
)
def test_a_mistake_is_named_by_its_field(
    path: tuple[str | int, ...], value: object, field: str
) -> None:
    changed = table()
    target: Any = changed
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    error = refusal(changed)
    assert error.field == field
    assert str(error).startswith(f"{field}: ")


def test_a_missing_field_is_named() -> None:
    changed = table()
    del changed["members"][1]["mspid"]
    assert refusal(changed).field == "members[1].mspid"
    changed = table()
    del changed["network"]
    assert refusal(changed).field == "network"


def test_a_plan_with_three_peers_cannot_tolerate_a_fault() -> None:
    changed = table()
    changed["members"].pop()
    assert refusal(changed).field == "members"
    changed["members"][0]["peers"] = [further_peer()]
    plan = parse_plan(changed, folder=Path("/somewhere"))
    assert len(plan.members) == 3
    assert [(peer.id, peer.consenter_id) for peer in plan.peers] == [
        ("cooperative", 1),
        ("second", 2),
        ("municipality", 3),
        ("dso", 4),
    ]


def further_peer(**changed: object) -> dict[str, object]:
    known = {"id": "second", "port": 9051, "validator_port": 9061, "external_host": "two.example"}
    return known | changed


def test_a_further_peer_belongs_to_its_member() -> None:
    changed = table()
    changed["members"][2]["peers"] = [further_peer()]
    peer = parse_plan(changed, folder=Path("/somewhere")).peer("second")
    assert (peer.member_id, peer.mspid) == ("dso", "DsoMSP")
    assert peer.address == "127.0.0.1:9051"
    assert peer.external_address == "two.example:9051"
    for mistake, field in (({"id": "dso"}, "id"), ({"port": 7051}, "port"), ({"x": 1}, "x")):
        changed["members"][2]["peers"] = [further_peer(**mistake)]
        assert refusal(changed).field == f"members[2].peers[0].{field}"


def test_an_unreadable_plan_is_an_error_of_the_plan(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="cannot read"):
        load_plan(tmp_path / "absent.toml")
    broken = tmp_path / "broken.toml"
    broken.write_text("[network", encoding="utf-8")
    with pytest.raises(PlanError, match="not valid TOML"):
        load_plan(broken)
    broken.write_bytes(b"name = '\xff'")
    with pytest.raises(PlanError, match="not valid TOML"):
        load_plan(broken)


def test_collections_are_text_in_fabric_s_json_and_mistakes_are_named() -> None:
    raw = table()
    good = """[{"name": "prices", "policy": "OR('DsoMSP.member')"}]"""
    raw["chaincodes"][0]["collections"] = good
    assert parse_plan(raw, folder=Path("/somewhere")).chaincodes[0].collections == good
    raw["chaincodes"][0]["collections"] = good.replace("name", "nom")
    with pytest.raises(PlanError, match=r"chaincodes\[0\].collections: .*unknown field 'nom'"):
        parse_plan(raw, folder=Path("/somewhere"))


def test_an_unknown_member_is_answered_with_those_there_are() -> None:
    plan = parse_plan(table(), folder=Path("/somewhere"))
    with pytest.raises(PlanError, match="cooperative, municipality, dso, utility"):
        plan.member("bakery")


def test_the_written_plan_shows_every_setting_there_is() -> None:
    def names(kind: type) -> set[str]:
        return {field.name for field in dataclasses.fields(kind)}

    written = table()
    further = {"consenter_id", "member_id", "external_host", "authority_subject", "further_peers"}
    assert set(written["members"][0]) == names(MemberPlan) - further
    assert "# [[members.peers]]" in default_plan_text()
    shown = further - {"member_id", "further_peers"}
    assert all(f"# {name} =" in default_plan_text() for name in shown)
    assert set(written["blocks"]) == names(BlockPlan)
    optional = {"endorsement_policy"}
    assert set(written["chaincodes"][0]) | optional == names(ChaincodePlan)
    assert all(f"# {name} =" in default_plan_text() for name in optional)
    assert all(f"# {name} =" in default_plan_text() for name in names(DiskPlan))


def test_limits_of_free_space_reach_the_peer_in_bytes(tmp_path: Path) -> None:
    changed = {**table(), "disk": {"votes_mb": 3}}
    plan = parse_plan(changed, folder=tmp_path)
    folder = NetworkLayout(plan.data_dir).member("dso")
    assert peer_settings(plan, plan.member("dso"), folder)["space"] == {"votes_bytes": 3 * 2**20}
    make_private_folder(folder.root)
    write_peer_settings(plan, plan.member("dso"), folder)
    assert load_config(folder.peer_config).space == SpaceLimits(votes_bytes=3 * 2**20)
    assert refusal({**table(), "disk": {"votes_mb": -1}}).field == "disk.votes_mb"
