"""A condition on a message, such as ``content.price > 3 and header.action == 'updated'``. Pure, and safe.

The text is parsed by Python's own parser and then walked: only what is listed here exists. No name
of Python can be reached, nothing is called, and no text makes the walk take long.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

from context_bus.errors import ConfigurationError, Fault

#: Longest condition that is read; a person writes no longer one.
MAX_LENGTH = 1000
#: A condition that has been read: body and topic to yes or no.
Condition = Callable[[Any, str], bool]

_Reader = Callable[[Mapping[str, Any]], Any]


class _MissingType:
    """What a path that leads nowhere yields: unequal to everything, neither less nor more."""

    def __bool__(self) -> bool:
        return False


_MISSING = _MissingType()

_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda left, right: left in right,
    ast.NotIn: lambda left, right: left not in right,
}
_CONSTANTS = {"true": True, "false": False, "null": None}


def read_condition(text: str) -> Condition:
    """Read a condition.

    Args:
        text: Comparisons (``== != < <= > >= in``, ``not in``) of paths and constants, joined by ``and``,
            ``or``, ``not`` and brackets. A path begins with ``header``, ``content`` or any other field
            of the message; ``m`` is the whole message, ``topic`` its topic; ``[0]`` is an element of a list.

    Raises:
        ConfigurationError: It cannot be read.
    """
    if len(text) > MAX_LENGTH:
        raise _fault(f"longer than {MAX_LENGTH} characters", text)
    try:
        tree = ast.parse(text.strip(), mode="eval")
        read = _reader(tree.body, text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise _fault(error.msg if isinstance(error, SyntaxError) else str(error), text) from None
    return lambda body, topic: bool(read({"m": body, "topic": topic}))


def _reader(node: ast.expr, text: str) -> _Reader:
    match node:
        case ast.BoolOp():
            return _joined(node, text)
        case ast.UnaryOp(op=ast.Not()):
            inner = _reader(node.operand, text)
            return lambda names: not inner(names)
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
            return lambda names: -number
        case ast.Compare():
            return _compared(node, text)
        case ast.Constant(value=str() | int() | float() | bool() | None as value):
            return lambda names: value
        case ast.List() | ast.Tuple():
            items = [_reader(item, text) for item in node.elts]
            return lambda names: [item(names) for item in items]
        case ast.Name() | ast.Attribute() | ast.Subscript():
            return _path(node, text)
    raise _fault(f"'{ast.unparse(node)[:40]}' cannot be used", text)


def _joined(node: ast.BoolOp, text: str) -> _Reader:
    parts = [_reader(part, text) for part in node.values]
    if isinstance(node.op, ast.And):
        return lambda names: all(part(names) for part in parts)
    return lambda names: any(part(names) for part in parts)


def _compared(node: ast.Compare, text: str) -> _Reader:
    first = _reader(node.left, text)
    rest = []
    for kind, right in zip(node.ops, node.comparators, strict=True):
        if type(kind) not in _COMPARISONS:
            raise _fault("'is' cannot be used; write ==", text)
        rest.append((_COMPARISONS[type(kind)], _reader(right, text)))

    def compare(names: Mapping[str, Any]) -> bool:
        left = first(names)
        for comparison, read in rest:
            right = read(names)
            if not _holds(comparison, left, right):
                return False
            left = right
        return True

    return compare


def _holds(comparison: Callable[[Any, Any], Any], left: Any, right: Any) -> bool:
    if left is _MISSING or right is _MISSING:
        return False
    try:
        return bool(comparison(left, right))
    except TypeError:  # text against number: neither less nor more
        return False


def _path(node: ast.expr, text: str) -> _Reader:
    match node:
        case ast.Name(id=name) if name in _CONSTANTS:
            return lambda names: _CONSTANTS[name]
        case ast.Name(id="m" | "topic" as name):
            return lambda names: names[name]
        case ast.Name(id=name):
            return lambda names: _step(names["m"], name)
        case ast.Attribute(value=inner, attr=name):
            before = _path(inner, text)
            return lambda names: _step(before(names), name)
        case ast.Subscript(value=inner, slice=ast.Constant(value=str() | int() as key)):
            before = _path(inner, text)
            return lambda names: _step(before(names), key)
        case ast.Subscript(
            value=inner, slice=ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() as key))
        ):
            before = _path(inner, text)
            return lambda names: _step(before(names), -key)
    raise _fault(f"'{ast.unparse(node)[:40]}' is no path to a field", text)


def _step(value: Any, key: str | int) -> Any:
    if isinstance(value, dict) and isinstance(key, str):
        return value.get(key, _MISSING)
    if isinstance(value, list) and isinstance(key, int) and -len(value) <= key < len(value):
        return value[key]
    return _MISSING


def _fault(message: str, text: str) -> ConfigurationError:
    shown = text if len(text) <= 60 else text[:57] + "..."
    remedy = "expected e.g. content.price > 3 and header.action == 'updated'"
    return ConfigurationError([Fault(f'{message}, in "{shown}"', remedy, "command line", element="--filter")])
