"""The community's terms: the text a household reads, and the SHA-256 of it that it signs.

A community's own text is a file (the setting `terms`). Without one the pages show a short text in
the reader's language; each translation has its own hash, so the ledger says which one was read.
"""

from dataclasses import dataclass

from gateway.services import Services
from gateway.web.languages import N_, Language
from ledger.crypto.hashing import sha256

PARAGRAPHS = (
    N_("I take part in the energy market of my community. An order that I sign binds me."),
    N_(
        "The contracts on the ledger set the price, settle what my meter shows, and book energy"
        " and money by themselves. Everybody can check them."
    ),
    N_("Readings of my meter are for those whom I let read them, and for nobody else."),
    N_(
        "I may withdraw this at any time. From then on no new order of mine is taken; what is"
        " already agreed is still delivered and settled."
    ),
)


@dataclass(frozen=True, slots=True)
class Terms:
    """What is shown and what is signed; paragraphs of `text` are separated by an empty line."""

    text: str

    @property
    def paragraphs(self) -> list[str]:
        """For the page."""
        return [part for part in self.text.split("\n\n") if part.strip()]

    @property
    def sha256_hex(self) -> str:
        """Of the text in UTF-8: the argument of `membership:consent`."""
        return sha256(self.text.encode()).hex()


def terms_of(services: Services, words: Language) -> Terms:
    """The community's own text, else the short one in the reader's language."""
    return Terms(services.terms) if services.terms else short_terms(words)


def short_terms(words: Language) -> Terms:
    """What a community without a text of its own agrees to, in a language."""
    return Terms("\n\n".join(map(words.text, PARAGRAPHS)))
