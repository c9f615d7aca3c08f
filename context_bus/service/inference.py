"""Which type an expression of a task has, as far as its source tells. Pure; imports and runs nothing.

It sees what people write where they publish: a constructor, a function with a return annotation, a
name that was assigned one of these, a literal. Everything else is unknown, and said to be so.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec


class Unknown:
    """The type of what cannot be told."""


#: Stands for every type that cannot be told.
UNKNOWN = Unknown()


@dataclass(frozen=True, slots=True)
class Shape:
    """A dict with these keys, each with the type of its value."""

    fields: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Scope:
    """What names mean in one function.

    Args:
        owner: The class it is a method of.
        names: Global names of its module.
        function: The function.
        hints: Types of its parameters.
    """

    owner: type[object]
    names: Mapping[str, Any]
    function: ast.FunctionDef | ast.AsyncFunctionDef
    hints: Mapping[str, Any]


def infer(node: ast.expr, scope: Scope, depth: int = 0) -> object:
    """The type of an expression, a `Shape`, or `UNKNOWN`."""
    if depth > 8:
        return UNKNOWN
    match node:
        case ast.Constant(value=value):
            return type(value)
        case ast.JoinedStr():
            return str
        case ast.Await(value=inner):
            return infer(inner, scope, depth + 1)
        case ast.Dict(keys=keys, values=values):
            return _dict(keys, values, scope, depth)
        case ast.List(elts=elements) | ast.ListComp(elt=ast.expr() as elements):
            return _list(elements, scope, depth)
        case ast.IfExp(body=body, orelse=other):
            kinds = (infer(body, scope, depth + 1), infer(other, scope, depth + 1))
            return kinds[0] if kinds[0] == kinds[1] else UNKNOWN
        case ast.Compare() | ast.UnaryOp(op=ast.Not()):
            return bool
        case ast.Call():
            return _call(node, scope, depth)
        case ast.Name(id=name):
            return _name(name, scope, depth)
        case ast.Attribute():
            return _attribute(node, scope)
    return UNKNOWN


def text_of(node: ast.expr, scope: Scope) -> str | None:
    """The text that an expression is: a literal, or a name of the module or the class; None if unknown."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    value = resolve(node, scope)
    return value if isinstance(value, str) else None


def resolve(node: ast.expr, scope: Scope) -> Any:
    """What a name or a chain of attributes means in the module or class; None if it is not known there."""
    if isinstance(node, ast.Name):
        return scope.names.get(node.id, vars_of_builtins().get(node.id))
    if isinstance(node, ast.Attribute):
        is_self = isinstance(node.value, ast.Name) and node.value.id == "self"
        # Only what is there without running anything: no properties, no descriptors of the user's.
        owner = scope.owner if is_self else resolve(node.value, scope)
        return None if owner is None else inspect.getattr_static(owner, node.attr, None)
    return None


def vars_of_builtins() -> dict[str, Any]:
    """The names that are everywhere."""
    return {kind.__name__: kind for kind in (int, float, str, bool, dict, list, len, sum, round)}


def shape_of(kind: object) -> Shape | None:
    """The fields of a type that has such; None of any other."""
    if isinstance(kind, Shape):
        return kind
    if isinstance(kind, type) and (
        issubclass(kind, msgspec.Struct) or dataclasses.is_dataclass(kind) or typing.is_typeddict(kind)
    ):
        return Shape(hints_of(kind))
    return None


def returned(function: Any) -> object:
    """What a function says that it returns."""
    function = getattr(function, "__func__", function)
    found = hints_of(function).get("return", UNKNOWN)
    return _known(found)


def _dict(keys: list[ast.expr | None], values: list[ast.expr], scope: Scope, depth: int) -> object:
    fields: dict[str, object] = {}
    for key, value in zip(keys, values, strict=True):
        if not isinstance(key, ast.Constant) or not isinstance(key.value, str):
            return dict
        fields[key.value] = infer(value, scope, depth + 1)
    return Shape(fields)


def _list(elements: Any, scope: Scope, depth: int) -> object:
    nodes = elements if isinstance(elements, list) else [elements]
    kinds = [infer(node, scope, depth + 1) for node in nodes]
    if kinds and isinstance(kinds[0], type) and all(kind is kinds[0] for kind in kinds):
        return list[kinds[0]]  # type: ignore[valid-type]  # a type that is known at run time only
    return list


def _call(node: ast.Call, scope: Scope, depth: int) -> object:
    called = resolve(node.func, scope)
    if isinstance(node.func, ast.Attribute | ast.Name) and _last(node.func) in ("asdict", "to_builtins"):
        return (shape_of(infer(node.args[0], scope, depth + 1)) if node.args else None) or UNKNOWN
    if called in (len, sum, round):
        return {len: int}.get(called, UNKNOWN)
    if isinstance(called, type):
        return called
    if isinstance(called, classmethod | staticmethod) or inspect.isfunction(called):
        return returned(called)
    return UNKNOWN


def _last(node: ast.Attribute | ast.Name) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id


def _name(name: str, scope: Scope, depth: int) -> object:
    """A parameter, or a local name that is only ever assigned one type."""
    if name in scope.hints:
        return _known(scope.hints[name])
    kinds: list[object] = []
    for node in ast.walk(scope.function):
        match node:
            case ast.Assign(targets=[ast.Name(id=target)], value=value) if target == name:
                kinds.append(infer(value, scope, depth + 1))
            case ast.AnnAssign(target=ast.Name(id=target), annotation=annotation) if target == name:
                found = resolve(annotation, scope)
                kinds.append(_known(found) if isinstance(found, type) else UNKNOWN)
            case ast.NamedExpr(target=ast.Name(id=target), value=value) if target == name:
                kinds.append(infer(value, scope, depth + 1))
            case ast.For(target=target) | ast.comprehension(target=target) if _binds(target, name):
                kinds.append(UNKNOWN)
    if kinds and all(kind == kinds[0] for kind in kinds):
        return kinds[0]
    return UNKNOWN


def _binds(target: ast.expr, name: str) -> bool:
    return any(isinstance(node, ast.Name) and node.id == name for node in ast.walk(target))


def _attribute(node: ast.Attribute, scope: Scope) -> object:
    """An annotated attribute of the task, or a field of something whose type is known."""
    if isinstance(node.value, ast.Name) and node.value.id == "self":
        found = inspect.getattr_static(scope.owner, node.attr, None)
        if isinstance(found, property):
            return returned(found.fget)
        return _known(hints_of(scope.owner).get(node.attr, UNKNOWN))
    shape = shape_of(infer(node.value, scope))
    return shape.fields.get(node.attr, UNKNOWN) if shape else UNKNOWN


def _known(kind: object) -> object:
    """A type that says something; what takes anything says nothing."""
    return UNKNOWN if kind is Any or kind is object else kind


def hints_of(where: Any) -> Mapping[str, Any]:
    """The annotations of a class or a function; none if they do not resolve."""
    try:
        return typing.get_type_hints(where, include_extras=True)
    except Exception:  # noqa: BLE001 - annotations are the user's code: what does not resolve is not known
        return {}
