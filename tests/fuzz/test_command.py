"""`python -m tests.fuzz` with wrong arguments: one sentence and status 2."""

import pytest

from tests.fuzz.__main__ import main


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--target", "nonsense"], "there is no target 'nonsense'; --list shows all"),
        (["--seconds", "-3"], "'-3' is no number of seconds above 0"),
        (["--seconds", "nan"], "'nan' is no number of seconds above 0"),
        (["--seconds", "soon"], "'soon' is no number of seconds above 0"),
    ],
)
def test_wrong_arguments(arguments, complaint, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert complaint in capsys.readouterr().err
