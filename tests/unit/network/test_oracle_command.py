"""`gridledger oracle`: settings of a member's oracle, its certificate made once."""

from pathlib import Path

import pytest

from gateway.oracle.settings import load_oracle_settings
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


def test_an_oracle_must_have_something_to_ask(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["dso"])
    assert "--hems" in capsys.readouterr().err
