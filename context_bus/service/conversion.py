"""Text from a configuration becomes a value of an annotated type. Pure; knows nothing of services."""

from __future__ import annotations

import collections.abc
import dataclasses
import re
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import msgspec

#: Types that take one element or many.
_COLLECTIONS = (
    list,
    tuple,
    set,
    frozenset,
    collections.abc.Sequence,
    collections.abc.MutableSequence,
    collections.abc.Collection,
    collections.abc.Iterable,
    collections.abc.Set,
    collections.abc.MutableSet,
)


def convert(value: object, hint: Any) -> object:
    """Convert a configuration value to what an annotation says.

    Args:
        value: Text, a list, or a mapping, as XML and YAML have them.
        hint: A type that msgspec knows, or Path; bare ``object`` and ``Any`` take the value as it is.

    Raises:
        ValueError: The value does not fit; the text says why.
    """
    if hint is Any or hint is object:
        return value
    try:
        return msgspec.convert(_fit(value, hint), hint, strict=False, dec_hook=_decode, str_keys=True)
    except msgspec.ValidationError as error:
        raise ValueError(_in_words(str(error))) from None
    except TypeError as error:
        raise ValueError(f"its annotation {hint!r} cannot be converted to: {error}") from None


def _fit(value: object, hint: Any) -> object:
    """Make lists where the type wants lists: XML writes a list of one exactly as it writes a value."""
    origin = get_origin(hint)
    if origin is Annotated:
        return _fit(value, get_args(hint)[0])
    if origin in (Union, types.UnionType):
        return _fit_union(value, get_args(hint))
    kind = origin or hint
    if kind in _COLLECTIONS:
        items = value if isinstance(value, list | tuple) else [] if value == "" else [value]
        inner = next((arg for arg in get_args(hint) if arg is not Ellipsis), object)
        return [_fit(item, inner) for item in items]
    if isinstance(value, Mapping):
        fields = _fields_of(kind, get_args(hint))
        return {name: _fit(item, fields(str(name))) for name, item in value.items()}
    return value


def _fit_union(value: object, members: tuple[Any, ...]) -> object:
    """Fit to the one collection of a union, unless text itself is welcome."""
    if value == "" and type(None) in members and str not in members:
        return None
    plain = [member for member in members if member is not type(None)]
    if len(plain) == 1 or (str not in plain and not isinstance(value, Mapping)):
        return _fit(value, plain[0]) if len(plain) == 1 else value
    return value


def _fields_of(kind: Any, arguments: tuple[Any, ...]) -> Any:
    """A function from the name of a field to its type."""
    if kind in (dict, collections.abc.Mapping, collections.abc.MutableMapping) and len(arguments) == 2:
        return lambda _: arguments[1]
    if isinstance(kind, type) and (issubclass(kind, msgspec.Struct) or dataclasses.is_dataclass(kind)):
        hints = get_type_hints(kind, include_extras=True)
        return lambda name: hints.get(name, object)
    return lambda _: object


def _decode(kind: type[Any], value: object) -> object:
    if issubclass(kind, Path) and isinstance(value, str):
        return kind(value)
    raise NotImplementedError(f"{kind.__name__} is not a type that configuration can have")


def _in_words(text: str) -> str:
    """Make msgspec's sentence one for people who wrote XML: ``$`` is the element itself."""
    text = text.replace(", got `str`", "").replace("`", "")
    text = re.sub(r" - at \$(\S*)", lambda found: f" at {found[1]}" if found[1] else "", text)
    return text[:1].lower() + text[1:]
