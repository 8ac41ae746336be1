"""`python -m tests.chaos` with wrong arguments: one sentence and status 2, and nothing is run."""

from pathlib import Path

import pytest

from tests.chaos.__main__ import main


@pytest.mark.parametrize(
    ("option", "value", "complaint"),
    [
        ("--plan", "missing.toml", "cannot read missing.toml: No such file or directory"),
        ("--plan", "notes.txt", "notes.txt is no chaos plan: Expected '='"),
        ("--plan", "empty.toml", "empty.toml has no 'perturbations'"),
        ("--folder", "notes.txt", "notes.txt is no folder"),
        ("--other-tree", "missing", "missing holds no Gridledger"),
        ("--seconds", "-1", "'-1' is no number of seconds above 0"),
        ("--pause", "inf", "'inf' is no number of seconds above 0"),
        ("--kills", "0", "'0' is no whole number above 0"),
        ("--kills", "many", "'many' is no whole number above 0"),
    ],
)
def test_wrong_arguments(option, value, complaint, tmp_path: Path, monkeypatch, capsys):
    (tmp_path / "notes.txt").write_text("not a plan\n")
    (tmp_path / "empty.toml").write_text("")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="2"):
        main([option, value])
    assert complaint in capsys.readouterr().err
