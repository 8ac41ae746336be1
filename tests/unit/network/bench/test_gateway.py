"""What `gridledger bench gateway` prints, and the clients it starts."""

from dataclasses import replace

import pytest

from gateway.measuring.addresses import source_address
from network.bench import gateway
from network.bench.gateway import (
    GatewayReport,
    OpenStreams,
    RebuiltModel,
    main,
    page_figures,
    report_table,
)
from network.bench.gateway_rush import GateRush
from network.bench.page import PageFigures


def a_report(**changes: object) -> GatewayReport:
    values = {
        "lost": 0,
        "p95_ms": 800.0,
        "open_mb": 190.0,
        "reached": 500,
        "elapsed_s": 20.0,
        "paint_ms": 700.0,
        "weight": 90_000,
    }
    values |= changes
    return GatewayReport(
        GateRush(200, 10, 199, {"BIDS_CLOSED": 1}, values["lost"], 300.0, values["p95_ms"]),
        OpenStreams(500, 160.0, values["open_mb"], values["reached"]),
        PageFigures(values["paint_ms"], values["weight"], 9),
        RebuiltModel(900, 10_000, values["elapsed_s"], 12.0),
    )


def test_every_figure_stands_beside_its_goal():
    text = report_table(a_report())
    assert text.count("— met") == 7
    assert "accepted 199, refused 1 BIDS_CLOSED, lost 0" in text
    assert "p95 800 ms (goal 2000 ms)" in text
    assert "10000 transactions in 900 blocks: 20.0 s, 12.0 s of CPU (goal 30 s)" in text


@pytest.mark.parametrize(
    "change",
    [
        {"lost": 1},
        {"p95_ms": 2_000.0},
        {"open_mb": 300.0},
        {"reached": 499},
        {"elapsed_s": 30.0},
        {"paint_ms": 1_000.0},
        {"weight": 150_000},
    ],
)
def test_a_goal_that_is_missed_is_said(change):
    assert report_table(a_report(**change)).count("NOT MET") == 1


def test_without_a_browser_the_page_is_not_measured_and_that_is_said():
    (figure,) = page_figures(None)
    assert "chromium is missing" in figure.text
    assert figure.text in report_table(replace(a_report(), page=None)).splitlines()


@pytest.mark.parametrize("options", [[], ["--json"]])
@pytest.mark.parametrize(
    ("report", "code"),
    [
        (a_report(), 0),
        (a_report(reached=499), 1),
        (a_report(weight=150_000), 1),
        (replace(a_report(), page=None), 1),
    ],
)
def test_a_goal_that_is_missed_or_not_measured_fails_the_command(
    monkeypatch, report, code, options
):
    monkeypatch.setattr(gateway, "_in_fresh_network", lambda _: report)
    assert main(options) == code


def test_a_wrong_option_is_told(capsys):
    with pytest.raises(SystemExit):
        main(["--streams", "0"])
    assert "--streams" in capsys.readouterr().err


def test_clients_have_addresses_of_their_own():
    addresses = {source_address(number) for number in range(1_000)}
    assert len(addresses) == 1_000
    assert "127.0.0.1" not in addresses
