"""Named tuples that take a tenth of the time to define: a command that starts often defines dozens before it does work.

The standard library's compiles every annotation, and a constructor for each class, when it is defined; here, only a
constructor, and only when it is called first. To a type checker they are the standard library's.
"""

from __future__ import annotations

from collections.abc import Iterable

from airlock.typed import TYPE_CHECKING, Any

__all__ = ["NamedTuple"]

if TYPE_CHECKING:
    from typing import NamedTuple
else:
    from _collections import _tuplegetter

    class _Tuple(tuple):
        """What all of them share; names and meaning are those of `collections.namedtuple`."""

        __slots__ = ()
        _fields = __match_args__ = ()
        _field_defaults = {}

        def __new__(cls, /, *args: Any, **named: Any) -> _Tuple:
            """Make the constructor of the class, and call it."""
            made = next(each for each in cls.__mro__ if "_fields" in vars(each))
            made.__new__ = _constructor(made)
            return made.__new__(cls, *args, **named)

        @classmethod
        def _make(cls, values: Iterable[Any]) -> _Tuple:
            made = tuple.__new__(cls, values)
            if len(made) != len(cls._fields):
                raise TypeError(f"Expected {len(cls._fields)} arguments, got {len(made)}")
            return made

        def _replace(self, /, **named: Any) -> _Tuple:
            made = self._make(map(named.pop, self._fields, self))
            if named:
                raise ValueError(f"Got unexpected field names: {list(named)!r}")
            return made

        def _asdict(self) -> dict[str, Any]:
            return dict(zip(self._fields, self, strict=True))

        def __repr__(self) -> str:
            said = ", ".join(f"{name}={value!r}" for name, value in zip(self._fields, self, strict=True))
            return f"{type(self).__name__}({said})"

        def __getnewargs__(self) -> tuple[Any, ...]:
            return tuple(self)

    def _constructor(cls: type) -> Any:
        names = "".join(f"{field}, " for field in cls._fields)
        code = f"lambda _cls, {names}: _new(_cls, ({names}))"
        made = eval(code, {"_new": tuple.__new__, "__builtins__": {}})  # noqa: S307 - of names of attributes alone
        made.__defaults__ = tuple(cls._field_defaults.values()) or None
        made.__name__ = "__new__"
        return made

    class _Named(type):
        def __new__(mcs, name: str, _bases: tuple[type, ...], namespace: dict[str, Any]) -> type:
            fields = tuple(namespace.get("__annotations__", ()))
            defaults = {field: namespace[field] for field in fields if field in namespace}
            first = len(fields) - len(defaults)
            if any(field.startswith("_") for field in fields) or tuple(defaults) != fields[first:]:
                raise TypeError(f"{name}: fields begin with a letter, and those with a default come last")
            getters = {field: _tuplegetter(at, None) for at, field in enumerate(fields)}
            own = {"__slots__": (), "_fields": fields, "__match_args__": fields, "_field_defaults": defaults}
            return type(name, (_Tuple,), {**namespace, **getters, **own})

    NamedTuple = type.__new__(_Named, "NamedTuple", (), {})
