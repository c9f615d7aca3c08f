"""Configuration children become the typed arguments of a task. Knows errors; does no I/O."""

from __future__ import annotations

import difflib
import inspect
import typing
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, get_origin

from context_bus.config.model import Value
from context_bus.errors import ServiceError
from context_bus.service.conversion import convert

#: Children that the framework reads itself; a task gets them only if it names them.
FRAMEWORK_CHILDREN = frozenset({"device_action", "location", "hosts"})


@dataclass(frozen=True, slots=True)
class Parameter:
    """One configuration child that a task takes."""

    name: str
    type: Any
    is_required: bool


@dataclass(frozen=True, slots=True)
class Parameters:
    """All that a task takes.

    Args:
        named: By name, in the order of the class.
        takes_any: The constructor has ``**kwargs``: other children pass unconverted.
    """

    named: Mapping[str, Parameter]
    takes_any: bool = False


def parameters_of(task_class: type[object]) -> Parameters:
    """Read from a task class which configuration children it takes.

    Raises:
        ServiceError: An annotation does not resolve, or a name is the framework's.
    """
    constructor = _own_constructor(task_class)
    if constructor is not None:
        return _from_signature(task_class, constructor)
    named: dict[str, Parameter] = {}
    for name, hint in _hints(task_class, task_class).items():
        if name.startswith("_") or get_origin(hint) is ClassVar or hint is ClassVar:
            continue
        if _is_framework_name(task_class, name):
            raise ServiceError(
                f"{task_class.__name__}.{name} is a name of context_bus itself; choose another"
            )
        named[name] = Parameter(name, hint, not hasattr(task_class, name))
    return Parameters(named)


def convert_configuration(task_class: type[object], configuration: Mapping[str, Value]) -> dict[str, object]:
    """Turn the children of ``configuration`` into the typed arguments of a task.

    Raises:
        ServiceError: All that does not fit, in one line.
    """
    parameters = parameters_of(task_class)
    faults: list[str] = []
    arguments: dict[str, object] = {}
    for name, value in configuration.items():
        parameter = parameters.named.get(name)
        if parameter is not None:
            try:
                arguments[name] = convert(value, parameter.type)
            except ValueError as error:
                faults.append(f"{name}={_shown(value)}: {error}")
        elif parameters.takes_any:
            arguments[name] = value
        elif name not in FRAMEWORK_CHILDREN:
            faults.append(_unknown(name, parameters.named))
    faults += _missing(parameters, configuration)
    if faults:
        raise ServiceError(f"configuration of {task_class.__name__}: {'; '.join(faults)}")
    return arguments


def arguments_of(task_class: type[object], given: Mapping[str, object]) -> Mapping[str, object]:
    """Check the arguments that a program gives to a task directly.

    Raises:
        TypeError: A name too many or too few, as for any function.
    """
    parameters = parameters_of(task_class)
    strangers = () if parameters.takes_any else given.keys() - parameters.named.keys()
    faults = [_unknown(name, parameters.named) for name in sorted(strangers)] + _missing(parameters, given)
    if faults:
        raise TypeError(f"{task_class.__name__}(): {'; '.join(faults)}")
    return given


def _own_constructor(task_class: type[object]) -> Any:
    """The constructor that a subclass of Task wrote, or None."""
    for base in task_class.__mro__:
        if base.__module__ == "context_bus.service.task" or base is object:
            return None
        if "__init__" in vars(base):
            return vars(base)["__init__"]
    return None


def _from_signature(task_class: type[object], constructor: Any) -> Parameters:
    hints = _hints(task_class, constructor)
    named: dict[str, Parameter] = {}
    takes_any = False
    for parameter in list(inspect.signature(constructor).parameters.values())[1:]:
        if parameter.kind is parameter.VAR_KEYWORD:
            takes_any = True
        elif parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            required = parameter.default is parameter.empty
            named[parameter.name] = Parameter(parameter.name, hints.get(parameter.name, object), required)
    return Parameters(named, takes_any)


def _hints(task_class: type[object], where: Any) -> dict[str, Any]:
    try:
        return typing.get_type_hints(where, include_extras=True)
    except NameError as error:
        raise ServiceError(
            f"an annotation of {task_class.__name__} names {error.name!r}, which does not exist at run "
            "time; import it outside TYPE_CHECKING"
        ) from None


def _is_framework_name(task_class: type[object], name: str) -> bool:
    return any(
        name in vars(base) for base in task_class.__mro__ if base.__module__ == "context_bus.service.task"
    )


def _unknown(name: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"{name!r} is unknown; {hint}it takes {', '.join(known) or 'nothing'}"


def _missing(parameters: Parameters, given: Collection[str]) -> list[str]:
    required = [parameter.name for parameter in parameters.named.values() if parameter.is_required]
    return [f"{name!r} is missing" for name in required if name not in given]


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
