"""All rules over one source text."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator

from chaincode.shim.determinism.address_text import address_text
from chaincode.shim.determinism.call_rules import CallRules
from chaincode.shim.determinism.finding import Finding
from chaincode.shim.determinism.import_rules import forbidden_imports
from chaincode.shim.determinism.lasting_state import LastingState
from chaincode.shim.determinism.made_once import made_once
from chaincode.shim.determinism.module_values import ModuleValues
from chaincode.shim.determinism.number_rules import floating_point
from chaincode.shim.determinism.scopes import Names, Note
from chaincode.shim.determinism.set_order import SetOrder

SOURCE_BYTES_MAX = 1024 * 1024
"""Of one module."""

WAIVER = re.compile(r"#\s*deterministic:\s*(.*)")


def findings(source: str | bytes, filename: str) -> tuple[Finding, ...]:
    """What in this source could differ between peers, by line; () if nothing was found.

    Pure: nothing is imported or run. Source that does not parse is one finding, `syntax`.
    """
    try:
        text = source.decode("utf-8") if isinstance(source, bytes) else source
        if len(text) > SOURCE_BYTES_MAX:
            return (_unreadable(filename, f"longer than {SOURCE_BYTES_MAX} characters"),)
        tree = ast.parse(text, filename)
        notes = list(_notes(tree))
        waived = _waived_lines(text)
    except SyntaxError as error:
        message = f"not Python: {error.msg}"
        return (Finding(filename, error.lineno or 1, error.offset or 1, "syntax", message),)
    except (ValueError, RecursionError, MemoryError, tokenize.TokenError) as error:
        return (_unreadable(filename, f"cannot be read: {error}"),)
    found = {
        Finding(filename, node.lineno, node.col_offset + 1, rule, message)
        for node, rule, message in notes
        if not waived.get(node.lineno)
    }
    found |= {
        Finding(filename, line, 1, "syntax", "say why after `deterministic:`")
        for line, reason in waived.items()
        if not reason
    }
    return tuple(sorted(found))


def _notes(tree: ast.Module) -> Iterator[Note]:
    names = Names(tree)
    values = ModuleValues(tree, names)
    yield from forbidden_imports(tree)
    yield from CallRules(names).notes_of(tree)
    yield from floating_point(tree, names)
    yield from SetOrder(tree).notes_of(tree)
    yield from LastingState(values, names).notes_of(tree)
    yield from made_once(tree, values, names)
    yield from address_text(tree)


def _waived_lines(text: str) -> dict[int, str]:
    """Line → the reason given for it."""
    waived = {}
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT and (match := WAIVER.match(token.string)):
            waived[token.start[0]] = match[1].strip()
    return waived


def _unreadable(filename: str, message: str) -> Finding:
    return Finding(filename, 1, 1, "syntax", message)
