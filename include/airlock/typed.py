"""Names that only a type checker needs: `typing`, which has them, takes as long to import as a dozen images to treat.

For the modules that a short command imports. To a type checker the names are those of `typing`; when the program runs,
nothing is asked of them. What is asked there (by pydantic, by dataclasses) must come from `typing`.
"""

from __future__ import annotations

__all__ = [
    "TYPE_CHECKING",
    "Any",
    "ClassVar",
    "Final",
    "Literal",
    "NoReturn",
    "Protocol",
    "TypeVar",
    "overload",
]

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any, ClassVar, Final, Literal, NoReturn, Protocol, TypeVar, overload
else:
    Any = ClassVar = Final = NoReturn = Protocol = object

    class _Subscribed:
        def __getitem__(self, _values):
            return object

    Literal = _Subscribed()

    def TypeVar(_name, *_constraints, **_more):  # noqa: N802 - its name in `typing`
        """Return what may stand in an annotation that is evaluated."""
        return object

    def overload(_function):
        """Return what the last definition of the same name replaces."""
        return
