"""Floating-point numbers: literals, true division, and functions that give them."""

import ast
from collections.abc import Iterator

from chaincode.shim.determinism.scopes import Names, Note

RULE = "floats"
_EXACT = ("ceil", "comb", "factorial", "floor", "gcd", "isqrt", "lcm", "perm", "prod", "trunc")
EXACT_MATH = frozenset(f"math.{name}" for name in _EXACT)


def floating_point(tree: ast.Module, names: Names) -> Iterator[Note]:
    """Everything that is or gives a floating-point number."""
    whole = {id(node) for call in ast.walk(tree) for node in _made_whole(call)}
    for node in ast.walk(tree):
        if isinstance(node, ast.expr) and id(node) not in whole:
            message = _of_expression(node, names)
            if message:
                yield node, RULE, message
        elif isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Div):
            yield node, RULE, "`/=` gives a floating-point number; use `//=`"


def _of_expression(node: ast.expr, names: Names) -> str:
    match node:
        case ast.Constant(value=float() | complex() as number):
            return f"{number} is a floating-point number; use an integer in a smaller unit"
        case ast.BinOp(op=ast.Div()):
            return "`/` gives a floating-point number; use `//`, or fractions.Fraction(a, b)"
        case ast.BinOp(op=ast.Pow(), right=ast.UnaryOp(op=ast.USub())):
            return "a negative power is a floating-point number; use fractions.Fraction"
        case ast.Name(id="float" | "complex", ctx=ast.Load()):
            return f"`{node.id}`: use int with a unit, or fractions.Fraction"
        case ast.Call(func=ast.Attribute(attr="timestamp" | "total_seconds" as method)):
            return f"`{method}()` gives a floating-point number; wrap it in int(…)"
        case ast.Attribute() | ast.Name():
            name = names.full_name(node)
            if name.startswith("math.") and name not in EXACT_MATH:
                return f"`{name}` gives a floating-point number; math.isqrt and math.gcd are exact"
    return ""


def _made_whole(node: ast.AST) -> list[ast.expr]:
    """The argument of `int(x.timestamp())`, which is exact for whole seconds."""
    match node:
        case ast.Call(func=ast.Name(id="int"), args=[ast.Call() as inner]):
            return [inner]
    return []
