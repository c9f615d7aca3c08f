"""What a task publishes, asks and reports, read from its source. Knows inference; runs nothing."""

from __future__ import annotations

import ast
import inspect
import linecache
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

from context_bus.service.inference import UNKNOWN, Scope, hints_of, infer, resolve, text_of

#: Methods of a task that talk, each with the names of its first arguments.
_TALK = {
    "publish": ("topic", "content", "action"),
    "request": ("topic", "content"),
    "request_async": ("topic", "content"),
    "notify": ("action", "result", "items"),
}


@dataclass(frozen=True, slots=True)
class Saying:
    """One call by which a task talks.

    Args:
        how: ``publish``, ``request`` or ``notify``.
        topic: Topic of the first two; None if the source does not tell.
        content: Type of the content or of the items.
        action: The verb; empty if none is given.
        reply: Type of the answer to a request.
        is_kept: Whether the last one is kept.
        place: ``file:line``.
    """

    how: str
    topic: str | None
    content: object
    action: str
    reply: object
    is_kept: bool
    place: str


def sayings_of(task_class: type[object]) -> Iterator[Saying]:
    """Every call in the methods of a class, those of its bases first, by which it talks."""
    for base in reversed(task_class.__mro__):
        if base is object or base.__module__.partition(".")[0] == "context_bus":
            continue
        tree, file, first = source_of(base)
        if tree is None:
            continue
        names = vars(sys.modules[base.__module__])
        for function in tree.body:
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                scope = Scope(task_class, names, function, hints_of(vars(base).get(function.name)))
                for node in ast.walk(function):
                    if isinstance(node, ast.Call) and (how := _how(node)):
                        yield _saying(how, node, scope, f"{file}:{first + node.lineno - 1}")


def source_of(owner: type[object]) -> tuple[ast.ClassDef | None, str, int]:
    """The body of a class, its file and its first line; no body if it has no source."""
    try:
        linecache.checkcache()
        lines, first = inspect.getsourcelines(owner)
        file = inspect.getsourcefile(owner) or ""
        tree = ast.parse(textwrap.dedent("".join(lines))).body[0]
    except (OSError, TypeError, SyntaxError, IndexError):
        return None, "", 0
    return (tree, file, max(1, first)) if isinstance(tree, ast.ClassDef) else (None, file, first)


def comments_of(owner: type[object]) -> dict[str, str]:
    """The ``#:`` comments above the attributes of a class and its bases, as one line each."""
    found: dict[str, str] = {}
    for base in reversed(owner.__mro__):
        tree, file, first = source_of(base)
        if tree is None or base.__module__.partition(".")[0] == "context_bus":
            continue
        for node in tree.body:
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                found[node.target.id] = _comment_above(file, first + node.lineno - 1)
    return found


def _comment_above(file: str, line: int) -> str:
    parts: list[str] = []
    while (text := linecache.getline(file, line - 1).strip()).startswith("#:"):
        parts.insert(0, text.removeprefix("#:").strip())
        line -= 1
    return " ".join(parts)


def _how(node: ast.Call) -> str:
    """The method of ``self`` that a call is, if it is one that talks."""
    match node.func:
        case ast.Attribute(value=ast.Name(id="self"), attr=name) if name in _TALK:
            return name
    return ""


def _saying(how: str, node: ast.Call, scope: Scope, place: str) -> Saying:
    given: dict[str, ast.expr] = dict(zip(_TALK[how], node.args, strict=False))
    given |= {word.arg: word.value for word in node.keywords if word.arg}
    action = text_of(given["action"], scope) if "action" in given else ""
    if how == "notify":
        items = infer(given["items"], scope) if "items" in given else dict
        return Saying(
            "notify", None, items, ("updated" if action == "" else action) or "?", None, False, place
        )
    topic = text_of(given["topic"], scope) if "topic" in given else None
    content = infer(given["content"], scope) if "content" in given else UNKNOWN
    kept = given.get("keep")
    return Saying(
        "publish" if how == "publish" else "request",
        topic,
        content,
        action or "",
        resolve(given["type"], scope) if "type" in given else UNKNOWN,
        isinstance(kept, ast.Constant) and kept.value is True,
        place,
    )
