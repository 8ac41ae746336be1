"""What a refusal means, for the person who reads it: codes of contracts and blocks, problems."""

from collections.abc import Mapping

from chaincode.energy.errors import Refusal
from gateway.errors import Problem
from gateway.web.languages import N_, Language
from ledger.model.codes import ValidationCode

_CHANGED_MEANWHILE = N_("another transaction changed the same state first; nothing was changed")
_NOT_ENDORSED = N_("too few members confirmed the transaction; nothing was changed")
_BROKEN = N_("the transaction was not valid; nothing was changed")

VALIDATION_TEXTS: Mapping[str, str] = {
    ValidationCode.MVCC_READ_CONFLICT.name: _CHANGED_MEANWHILE,
    ValidationCode.PHANTOM_READ_CONFLICT.name: _CHANGED_MEANWHILE,
    ValidationCode.ENDORSEMENT_POLICY_FAILURE.name: _NOT_ENDORSED,
    ValidationCode.DUPLICATE_TXID.name: N_("the same transaction was on the ledger already"),
}


def refusal_text(words: Language, code: str, detail: str = "") -> str:
    """The meaning of a code in the reader's language; the detail is in the contract's words."""
    if code in Refusal.__members__:
        text = words.text(Refusal[code].text)
    elif code in VALIDATION_TEXTS:
        text = words.text(VALIDATION_TEXTS[code])
    elif code in ValidationCode.__members__:
        text = f"{words.text(_BROKEN)} ({code})"
    else:
        text = code
    return f"{text} ({detail})" if detail else text


def problem_text(words: Language, problem: Problem) -> str:
    """A kind of problem and what to do; advice that names fields of an answer is for programs."""
    kind = problem.value
    is_for_people = "`" not in kind.advice
    said = (kind.title, kind.advice) if is_for_people else (kind.title,)
    return " ".join(f"{words.text(part).rstrip('.')}." for part in said)


def all_refusal_texts(words: Language) -> dict[str, str]:
    """What every code and every problem, by its slug, means: for the script that shows it."""
    codes = (*Refusal.__members__, *ValidationCode.__members__)
    return {code: refusal_text(words, code) for code in codes} | {
        problem.value.slug: problem_text(words, problem) for problem in Problem
    }
