"""Frozen models that read and write JSON as a Go struct of the same name would."""

from __future__ import annotations

import functools
import types
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Self, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict
from pydantic.fields import FieldInfo

from shared.oci import go_json

_UINT32_MAX = 2**32 - 1


class GoTypeError(go_json.GoJSONError):
    """The input is JSON, but not of the type the struct has there; the text is Go's."""


class GoStruct(BaseModel):
    """Base of models named, and with fields named and ordered, as Go's structs.

    ``None`` in a sequence is Go's nil slice, which is written as null; an empty one is ``[]``.
    """

    model_config = ConfigDict(frozen=True, validate_by_name=True, serialize_by_alias=True)

    #: Fields that are left out when zero (``omitempty``), by attribute.
    OMIT_EMPTY: ClassVar[frozenset[str]] = frozenset()
    #: The struct's package, as errors name it.
    PACKAGE: ClassVar[str] = "types"

    @classmethod
    def from_go(cls, value: object) -> Self:
        """Build the model from decoded JSON as Go would: keys in any case, null leaves a zero.

        Unknown keys are ignored; of keys that differ only in case, the last one counts.
        Raises GoTypeError.
        """
        return cls.decode_at(value, ())

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object in Go's key order, zero values of omitted fields left out."""
        return {
            _json_name(name, field): _plain(getattr(self, name))
            for name, field in type(self).model_fields.items()
            if getattr(self, name) or name not in self.OMIT_EMPTY
        }

    @classmethod
    def decode_at(cls, value: object, path: tuple[str, ...]) -> Self:
        """Build the model from what stands at *path*, which errors name."""
        if value is None:
            return cls()
        if not isinstance(value, dict):
            raise _mismatch(value, _go_type(cls), path, struct=None)
        fields = _fields(cls)
        decoded = {}
        for key, item in value.items():
            field = fields.get(key) or fields.get(key.casefold())
            if field is not None and item is not None:
                where = (*path, field.json_name)
                decoded[field.name] = _convert(item, field.target, where, cls.__name__)
        return cls(**decoded)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Field:
    """What decoding needs of a field."""

    name: str
    json_name: str
    target: Any


@functools.cache  # types do not change, and each record that is looked at is decoded
def _fields(struct: type[GoStruct]) -> Mapping[str, _Field]:
    """Return a struct's fields by their keys, as written and in one case."""
    exact = {}
    for name, field in struct.model_fields.items():
        annotation: Any = field.annotation
        key = _json_name(name, field)
        exact[key] = _Field(name=name, json_name=key, target=_core(annotation))
    return {key.casefold(): field for key, field in exact.items()} | exact


def _json_name(name: str, field: FieldInfo) -> str:
    return field.alias or name


def _plain(value: object) -> Any:
    if isinstance(value, GoStruct):
        return value.to_dict()
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, str | bool | int) else str(value)


@functools.cache
def _core(annotation: Any) -> Any:
    """Strip ``| None`` and Annotated from an annotation: Go's pointers decode as their target."""
    while True:
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
        elif get_origin(annotation) in (Union, types.UnionType):
            annotation = next(arg for arg in get_args(annotation) if arg is not type(None))
        else:
            return annotation


@functools.cache
def _origin(target: Any) -> Any:
    return get_origin(target)


def _convert(value: object, target: Any, path: tuple[str, ...], struct: str) -> object:
    origin = _origin(target)
    if origin is tuple:
        return _convert_slice(value, target, path, struct)
    if origin is dict:
        return _convert_map(value, target, path, struct)
    if issubclass(target, GoStruct):
        if not isinstance(value, dict | None):
            raise _mismatch(value, _go_type(target), path, struct=struct)
        return target.decode_at(value, path)
    if hasattr(target, "from_go"):
        return target.from_go(value)
    return _convert_scalar(value, target, path, struct)


def _convert_slice(value: object, target: Any, path: tuple[str, ...], struct: str) -> object:
    if not isinstance(value, list):
        raise _mismatch(value, _go_type(target), path, struct=struct)
    item_type = _core(get_args(target)[0])
    return tuple(_convert(item, item_type, path, struct) for item in value)


def _convert_map(value: object, target: Any, path: tuple[str, ...], struct: str) -> object:
    if not isinstance(value, dict):
        raise _mismatch(value, _go_type(target), path, struct=struct)
    item_type = _core(get_args(target)[1])
    return {key: _convert(item, item_type, path, struct) for key, item in value.items()}


def _convert_scalar(value: object, target: Any, path: tuple[str, ...], struct: str) -> object:
    if value is None:
        return target()
    if type(value) is not target:
        raise _mismatch(value, _go_type(target), path, struct=struct)
    if isinstance(value, int) and not 0 <= value <= _UINT32_MAX:
        raise _mismatch(value, _go_type(target), path, struct=struct, literal=str(value))
    return value


def _go_type(target: Any) -> str:
    if get_origin(target) is tuple:
        return f"[]{_go_type(_core(get_args(target)[0]))}"
    if get_origin(target) is dict:
        key, item = map(_go_type, get_args(target))
        return f"map[{key}]{item}"
    names = {str: "string", bool: "bool", int: "uint32"}
    return names.get(target) or f"{getattr(target, 'PACKAGE', 'types')}.{target.__name__}"


def _mismatch(
    value: object, go_type: str, path: tuple[str, ...], *, struct: str | None, literal: str = ""
) -> GoTypeError:
    kind = {str: "string", bool: "bool", list: "array", dict: "object"}.get(type(value), "number")
    if go_type == "uint32" and kind == "number":
        literal = literal or str(value)
    shown = f"{kind} {literal}" if literal else kind
    where = f"Go struct field {struct}.{'.'.join(path)}" if struct else "Go value"
    return GoTypeError(f"json: cannot unmarshal {shown} into {where} of type {go_type}")
