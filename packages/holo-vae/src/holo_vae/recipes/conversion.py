"""Conversion of plain values, as in YAML and JSON, to typed ones; errors name the key."""

from collections.abc import Callable, Mapping
from types import GenericAlias, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import attrs
import cattrs
from cattrs.errors import ClassValidationError, ForbiddenExtraKeysError, IterableValidationError
from cattrs.gen import make_dict_structure_fn

from holo_types import HoloError

__all__ = ["WrongValueError", "complaints", "strict_converter"]

_BEYOND = 1 << 63
_LONGEST = 200  # characters of a value in a message
_WORDS: dict[object, str] = {int: "an integer", float: "a number", bool: "true or false", str: "text"}


class WrongValueError(ValueError):
    """A value that does not suit its key; the message continues where the name of the key ends."""

    def __init__(self, value: object, expected: str) -> None:
        super().__init__(f"is {_short(repr(value))}; it must be {expected}")


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _exact(value: object, kind: type[object]) -> object:
    # cattrs would convert 2.7 to 2 and "false" to True. A setting that silently changes is worse than none.
    if type(value) is not kind:
        raise WrongValueError(value, _WORDS[kind])
    if isinstance(value, int) and abs(value) >= _BEYOND:
        raise WrongValueError(
            hex(value), "an integer of 64 bits"
        )  # Python does not write long integers in decimal
    return value


def _number(value: object, _: Any) -> float:
    try:
        if isinstance(value, int | float | str) and not isinstance(value, bool):
            return float(value)  # also from text: YAML 1.1 reads 1e-3 as text
    except (ValueError, OverflowError):
        pass
    raise WrongValueError(value, _WORDS[float])


def _literal(value: object, kind: Any) -> object:
    choices = get_args(kind)
    if not any(value == choice and type(value) is type(choice) for choice in choices):
        raise WrongValueError(value, _one_of(choices))
    return value


def _one_of(choices: tuple[object, ...]) -> str:
    *others, last = map(repr, choices)
    return f"{', '.join(others)} or {last}" if others else last


def _origin(kind: Any) -> object:
    return get_origin(kind)


def _alternatives(kind: Any) -> tuple[Any, ...] | None:
    """Return X and tuple[X, ...] if a type is the union of the two: one value, or a list of them."""
    alternatives = get_args(kind) if get_origin(kind) in (Union, UnionType) else ()
    lists = [each for each in alternatives if get_origin(each) is tuple]
    rest = [each for each in alternatives if get_origin(each) is not tuple]
    return (rest[0], lists[0]) if len(rest) == len(lists) == 1 else None


def strict_converter() -> cattrs.Converter:
    """Return a converter that never converts one type of value to another, and refuses unknown keys.

    Examples
    --------
    >>> converter = strict_converter()
    >>> converter.structure([1, 2], tuple[int, ...])
    (1, 2)
    >>> try:
    ...     converter.structure([1, 2.5], tuple[int, ...])
    ... except Exception as error:
    ...     print(*complaints(error, "channels"))
    channels[1] is 2.5; it must be an integer
    """
    converter = cattrs.Converter(forbid_extra_keys=True)

    def sequence(value: object, kind: Any) -> object:
        if not isinstance(value, list | tuple):
            raise WrongValueError(value, "a list")
        items: Any = GenericAlias(list, get_args(kind)[:1])
        return tuple(converter.structure(value, items))

    def one_or_each(value: object, kind: Any) -> object:
        one, each = _alternatives(kind) or (kind, kind)
        return converter.structure(value, each if isinstance(value, list | tuple) else one)

    def category(value: object, _: Any) -> object:
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise WrongValueError(value, "an integer or text")
        return value

    def settings(kind: type[Any]) -> Callable[[object, Any], object]:
        structured = make_dict_structure_fn(kind, converter, _cattrs_forbid_extra_keys=True)

        def checked(value: object, kind: Any) -> object:
            if not isinstance(value, Mapping):
                raise WrongValueError(value, "a mapping of settings")
            return structured(value, kind)

        return checked

    for kind in (int, bool, str):
        converter.register_structure_hook(kind, _exact)
    converter.register_structure_hook(float, _number)
    converter.register_structure_hook_func(lambda kind: _origin(kind) is Literal, _literal)
    converter.register_structure_hook_func(lambda kind: _origin(kind) is tuple, sequence)
    converter.register_structure_hook_func(lambda kind: _alternatives(kind) is not None, one_or_each)
    converter.register_structure_hook(int | str, category)
    converter.register_structure_hook_factory(attrs.has, settings)
    return converter


def complaints(error: BaseException, path: str = "") -> list[str]:
    """Describe what is wrong with plain values, each with the path of its key: ``training.epochs is 'ten'; ...``.

    Parameters
    ----------
    error
        The exception that a `strict_converter` raised.
    path
        The path of the value that was being converted.
    """
    match error:
        case ClassValidationError():
            inside, own = error.group_exceptions()
            found = [(each, f"{path}.{note.name}".lstrip(".")) for each, note in inside]
            found += [(each, path) for each in own]
        case IterableValidationError():
            items, own = error.group_exceptions()
            found = [(each, f"{path}[{note.index}]") for each, note in items]
            found += [(each, path) for each in own]
        case _:
            return _words(error, path)
    return [words for each, where in found for words in complaints(each, where)]


def _words(error: BaseException, path: str) -> list[str]:
    match error:
        case WrongValueError():
            return [f"{path or 'it'} {error}"]
        case HoloError():
            return [str(error)]  # from a class that refuses a value and names it
        case ForbiddenExtraKeysError():
            known = ", ".join(field.name for field in attrs.fields(error.cl))
            keys = (f"{path}.{key}".lstrip(".") for key in sorted(map(str, error.extra_fields)))
            return [f"{key} is not known; there are {known}" for key in keys]
        case KeyError():
            return [f"{path} is missing"]
    return [f"{path}: {error}"]
