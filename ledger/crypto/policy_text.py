"""Fabric's notation of signature policies: `AND(...)`, `OR(...)`, `OutOf(k, ...)`.

    OutOf(3, 'CoopMSP.peer', 'MunicipalityMSP.peer', 'DsoMSP.peer', 'UtilityMSP.peer')

A principal is a quoted `MSPID.role`, role one of member, admin, client, peer, orderer. Every
mention becomes a principal of its own and every function an NOutOf, as Fabric's tools lay it out.
"""

import re
from collections.abc import Sequence

from ledger.errors import InvalidMessage, Reason
from ledger.model.policy import (
    POLICY_DEPTH_MAX,
    POLICY_LEAVES_MAX,
    NOutOf,
    Principal,
    Role,
    Rule,
    SignaturePolicy,
    SignedBy,
)

POLICY_TEXT_MAX = 20_000
"""Characters."""

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<principal>'[^']*'|"[^"]*")
      | (?P<number>[0-9]{1,4})
      | (?P<word>[A-Za-z]+)
      | (?P<mark>[(),])
    )\s*""",
    re.VERBOSE,
)
_PRINCIPAL = re.compile(r"([A-Za-z0-9.-]+)\.(member|admin|client|peer|orderer)")


def parse_policy(text: str) -> SignaturePolicy:
    """The policy a text means; raises InvalidMessage MALFORMED or OVERSIZED saying where."""
    if len(text) > POLICY_TEXT_MAX:
        raise InvalidMessage(
            Reason.OVERSIZED, f"a policy text has at most {POLICY_TEXT_MAX} characters"
        )
    parser = _Parser(text)
    rule = parser.function(depth=0)
    parser.expect_end()
    return SignaturePolicy(rule=rule, principals=tuple(parser.principals))


def format_policy(policy: SignaturePolicy) -> str:
    """A text that `parse_policy` reads back to a policy with the same meaning."""
    return _format(policy.rule, policy)


def majority_of_peers(mspids: Sequence[str]) -> str:
    """Policy text: peers of more than half of these members (3 of 4, 3 of 5), in this order."""
    quoted = ", ".join(f"'{mspid}.peer'" for mspid in mspids)
    return f"OutOf({len(mspids) // 2 + 1}, {quoted})"


class _Parser:
    """Recursive descent over the tokens of one text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self.principals: list[Principal] = []

    def function(self, *, depth: int) -> NOutOf:
        """`NAME(...)`; the depth limit bounds the recursion."""
        if depth > POLICY_DEPTH_MAX:
            raise InvalidMessage(
                Reason.OVERSIZED, f"a policy has at most {POLICY_DEPTH_MAX} levels"
            )
        name = self._next("word").lower()
        if name not in ("and", "or", "outof"):
            raise self._wrong("AND, OR or OutOf")
        self._mark("(")
        needed = None
        if name == "outof":
            needed = int(self._next("number"))
            self._mark(",")
        rules = [self._argument(depth)]
        while self._mark(",", ")") == ",":
            rules.append(self._argument(depth))
        if needed is None:
            needed = len(rules) if name == "and" else 1
        if not 1 <= needed <= len(rules):
            raise InvalidMessage(Reason.MALFORMED, f"{needed} out of {len(rules)} cannot be asked")
        return NOutOf(n=needed, rules=tuple(rules))

    def expect_end(self) -> None:
        """Nothing may follow the outermost function."""
        if self._text[self._at :].strip():
            raise self._wrong("the end")

    def _argument(self, depth: int) -> Rule:
        token = self._peek()
        if token is None or token.lastgroup != "principal":
            return self.function(depth=depth + 1)
        self._at = token.end()
        quoted = token.group("principal")
        match = _PRINCIPAL.fullmatch(quoted[1:-1])
        if match is None:
            raise InvalidMessage(Reason.MALFORMED, f"{quoted} is not 'MSPID.role'")
        if len(self.principals) == POLICY_LEAVES_MAX:
            raise InvalidMessage(
                Reason.OVERSIZED, f"a policy has at most {POLICY_LEAVES_MAX} leaves"
            )
        self.principals.append(Principal(match[1], Role[match[2].upper()]))
        return SignedBy(len(self.principals) - 1)

    def _peek(self) -> re.Match[str] | None:
        return _TOKEN.match(self._text, self._at)

    def _next(self, kind: str) -> str:
        token = self._peek()
        if token is None or token.lastgroup != kind:
            raise self._wrong(f"a {kind}")
        self._at = token.end()
        return token.group(kind)

    def _mark(self, *allowed: str) -> str:
        token = self._peek()
        if token is None or token.group("mark") not in allowed:
            raise self._wrong(" or ".join(allowed))
        self._at = token.end()
        return token.group("mark")

    def _wrong(self, wanted: str) -> InvalidMessage:
        return InvalidMessage(
            Reason.MALFORMED, f"policy text: {wanted} is needed at character {self._at}"
        )


def _format(rule: Rule, policy: SignaturePolicy) -> str:
    if isinstance(rule, SignedBy):
        principal = policy.principals[rule.principal_index]
        if not isinstance(principal, Principal):
            return f"'{principal.mspid}.certificate'"
        return f"'{principal.mspid}.{principal.role.name.lower()}'"
    inner = ", ".join(_format(child, policy) for child in rule.rules)
    return f"OutOf({rule.n}, {inner})"
