"""The command line: wrong words are answered in a sentence, failures can be read."""

import pytest

from tests.simulation.campaign import Campaign, Outcome
from tests.simulation.command import main, violation_lines


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--trace"], "--trace shows the events of one seed: give it with --seed S"),
        (["--seeds", "abc"], "argument --seeds: 'abc' is no whole number above 0"),
        (["--seeds", "0"], "argument --seeds: '0' is no whole number above 0"),
        (["--jobs", "-1"], "argument --jobs: '-1' is no whole number above 0"),
        (["--jobs", "1.5"], "argument --jobs: '1.5' is no whole number above 0"),
        (["--seed", "-3"], "argument --seed: '-3' is no whole number from 0 on"),
        (["--first-seed", "x"], "argument --first-seed: 'x' is no whole number from 0 on"),
        (["--seed", "9" * 5_000], "is no whole number from 0 on"),
        (["--validators", "3"], "argument --validators"),
        (
            ["--profile", "speed"],
            "invalid choice: 'speed' (choose from 'safety', 'liveness', 'disk', 'membership')",
        ),
        (["--seed", "4", "--seeds", "3"], "--seed S runs that one alone"),
        (["--seed", "4", "--first-seed", "0"], "--seed S runs that one alone"),
    ],
)
def test_a_wrong_argument_is_refused_in_a_sentence(arguments, sentence, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert sentence in capsys.readouterr().err


def test_every_option_has_a_help_text(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert "--jobs N seeds run in so many processes at once" in text


def test_one_seed_tells_what_it_did(capsys):
    assert main(["--seed", "3"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("seed 3, safety, 4 validators, liars: ")
    assert "no violation; trace " in told
    assert "Report(" not in told


def test_a_failure_names_seed_invariant_and_replay():
    campaign = Campaign(validators=5, profile="disk", first_seed=0, seeds=9)
    outcome = Outcome(7, None, "I7: node 2: no quorum\nTraceback\n  somewhere")
    assert violation_lines(campaign, outcome) == [
        "seed 7 breaks an invariant",
        "  invariant: I7",
        "  what:      node 2: no quorum",
        "  replay:    gridledger simulate --validators 5 --profile disk --seed 7 --trace",
        "  Traceback",
        "    somewhere",
    ]


def test_so_does_a_failure_without_a_number():
    campaign = Campaign(validators=4, profile="safety", first_seed=0, seeds=9)
    outcome = Outcome(7, None, "honest message of 2 refused by node 0: malformed: x")
    assert violation_lines(campaign, outcome)[1:3] == [
        "  invariant: honest validators accept one another",
        "  what:      honest message of 2 refused by node 0: malformed: x",
    ]
