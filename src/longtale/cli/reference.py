"""What a settings class says of itself: keys, types, defaults and help."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined, to_jsonable_python

_WORDS: dict[object, str] = {str: "text", int: "integer", float: "number", bool: "true or false"}
_BOUNDS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}


@dataclass(frozen=True)
class Described:
    """One setting as a person reads it."""

    key: str
    type: str
    default: str
    help: str


def described(cls: type[BaseModel], prefix: str = "") -> Iterator[Described]:
    """Give every setting of a class and of the sections within it, in their order."""
    for name, field in cls.model_fields.items():
        key = f"{prefix}{name}"
        section, is_list = _section(field.annotation)
        if section is None:
            yield Described(key, _typed(field), _default(field), _one_line(field.description))
        else:
            yield from described(section, f"{key}[]." if is_list else f"{key}.")


def _section(annotation: Any) -> tuple[type[BaseModel] | None, bool]:
    """Give the settings class that an annotation holds, and whether it is a list of such."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, False
    for inner in get_args(annotation):
        found, _ = _section(inner)
        if found is not None:
            return found, get_origin(annotation) is tuple
    return None, False


def _typed(field: FieldInfo) -> str:
    bounds = [
        f"{word} {value:g}"
        for part in field.metadata
        for name, word in _BOUNDS.items()
        if (value := getattr(part, name, None)) is not None
    ]
    return " ".join([_type_name(field.annotation), ", ".join(bounds)]).strip()


def _type_name(annotation: Any) -> str:
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " | ".join(str(value) for value in inner)
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return " | ".join(str(member.value) for member in annotation)
    if origin is Annotated:
        return _type_name(inner[0])
    if origin in (Union, UnionType):
        return " or ".join(_type_name(part) for part in inner if part is not NoneType)
    if origin is tuple:
        return f"list of {_type_name(inner[0])}"
    return _WORDS.get(annotation, getattr(annotation, "__name__", str(annotation)))


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined:
        return "must be given"
    if value is None:
        return "none"
    return json.dumps(to_jsonable_python(value), ensure_ascii=False)


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split())
