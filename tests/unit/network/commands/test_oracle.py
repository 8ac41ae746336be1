"""`gridledger oracle`: settings of a member's oracle, its certificate made once."""

from pathlib import Path

import pytest

from gateway.oracle.instants import ReportTimes
from gateway.oracle.settings import OracleSettings, load_oracle_settings
from network.commands.oracle import main
from tests.integration.running_network import create_test_network


def test_settings_and_certificate_are_written_into_the_members_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = create_test_network(tmp_path)
    token = tmp_path / "token"
    token.write_text("secret\n")
    options = ["dso", "--plan", str(network.plan_path), "--write-only"]
    sources = ["--hems", "https://hems.example/", "--hems-token", str(token)]
    assert main([*options, *sources, "--price", "https://tariffs.example/{subject}"]) == 0
    file = Path(capsys.readouterr().out.strip())
    settings = load_oracle_settings(file)
    assert [(job.kind, job.url, job.token, job.times) for job in settings.jobs] == [
        (
            "battery_soc",
            "https://hems.example/battery-soc/{subject}?at_ms={at_ms}",
            "secret",
            1_000,
        ),
        ("smartmeter", "https://hems.example/smartmeter/{subject}?at_ms={at_ms}", "secret", 1_000),
        ("price", "https://tariffs.example/{subject}", "", 1_000_000),
    ]
    identity = settings.identity.load()
    assert identity.mspid == settings.ledger.peers[0].mspid
    assert (file.stat().st_mode & 0o077, settings.run_log.parent) == (0, file.parent)
    assert main([*options, *sources]) == 0
    assert settings.identity.load().certificate_pem == identity.certificate_pem, "made once"


def test_where_readings_come_from_and_which_are_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = create_test_network(tmp_path)
    authority = tmp_path / "hems-ca.pem"
    authority.write_text("a certificate\n")
    database = tmp_path / "gateway.db"
    database.touch()

    def settings_of(*options: str) -> OracleSettings:
        command = ["utility", "--plan", str(network.plan_path), "--write-only", *options]
        assert main(command) == 0
        return load_oracle_settings(Path(capsys.readouterr().out.strip()))

    by_http = settings_of("--hems", "https://hems.example", "--hems-ca", str(authority))
    assert by_http.reports is not None
    assert (by_http.reports.gateway, by_http.reports.database) == ("https://hems.example", "")
    assert by_http.reports.times == ReportTimes()
    assert by_http.ca == authority
    own = settings_of("--database", f"sqlite:///{database}", "--every-minutes", "15")
    assert own.reports is not None
    assert (own.reports.gateway, own.jobs) == ("", ())
    assert own.reports.times.instants.every_ms == 900_000
    assert settings_of("--price", "https://tariffs.example/{subject}").reports is None


def test_an_oracle_must_have_something_to_ask(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["dso"])
    assert "--hems" in capsys.readouterr().err
