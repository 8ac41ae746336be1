"""What a household's home automation calls its devices, in the household's language."""

from collections.abc import Callable

from gateway.hems.home_assistant import Words
from gateway.notices.book import NoticeBook
from gateway.web.languages import N_, language

HOME_ASSISTANT_TEXTS = (
    N_("Household"),
    N_("Energy price"),
    N_("Next gate"),
    N_("My position"),
    N_("My open orders"),
    N_("My balance"),
    N_("Meter at the grid connection"),
    N_("Meter at a source"),
    N_("Battery"),
    N_("Plug"),
    N_("Switch"),
    N_("Power"),
    N_("Charging power"),
    N_("Production"),
    N_("Energy"),
    N_("Energy produced"),
    N_("Energy taken"),
    N_("Energy fed in"),
    N_("Voltage"),
    N_("State of charge"),
    N_("Stored energy"),
    N_("Last value"),
    N_("Silent"),
    N_("Signal"),
)
"""What `gateway.hems.home_assistant` and `home_assistant_devices` name, for the catalogues."""


def words_of_homes(book: NoticeBook, default: str) -> Callable[[str], Words]:
    """Each household's words by its IDgrid: its language as notices know it, else the default."""
    return lambda idgrid: language(book.choices(idgrid).language or default).text
