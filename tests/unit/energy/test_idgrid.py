"""IDgrid: one form, and a check character that catches slips of the hand."""

import pytest

from chaincode.energy.idgrid import check_character, problem_with, with_check_character

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
GOOD = with_check_character("VAL-0017")


def test_the_check_character_is_iso_7064_mod_37_36() -> None:
    # Example of the standard's family: the GRid identifier A12425GABC1234002 has check M.
    product = 36
    for character in "A12425GABC1234002":
        product = 2 * ((product + ALPHABET.index(character)) % 36 or 36) % 37
    assert ALPHABET[(37 - product) % 36] == "M"
    assert check_character("A12425-GABC1234002") == "M"


def test_a_complete_idgrid_is_accepted() -> None:
    assert GOOD == "VAL-0017-X"
    assert problem_with(GOOD) is None


def test_every_single_wrong_character_is_caught() -> None:
    for place, character in enumerate(GOOD):
        if character == "-":
            continue
        for wrong in ALPHABET.replace(character, ""):
            assert problem_with(GOOD[:place] + wrong + GOOD[place + 1 :]) is not None


def test_swapped_neighbours_are_caught() -> None:
    body = "VAL-0123456789"
    good = with_check_character(body)
    for place in range(4, len(body) - 1):
        swapped = good[:place] + good[place + 1] + good[place] + good[place + 2 :]
        assert problem_with(swapped) is not None


@pytest.mark.parametrize(
    "text",
    ["", "VAL0017X", "val-0017-x", "VAL-0017", "VAL-0017-XX", "1VAL-0017-X", "VAL-0017-X\n", "V~"],
)
def test_other_forms_are_refused(text: str) -> None:
    assert problem_with(text) is not None


def test_a_malformed_body_has_no_check_character() -> None:
    with pytest.raises(ValueError, match="COMMUNITY-NUMBER"):
        check_character("val-17")
