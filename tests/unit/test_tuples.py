"""Our named tuples behave as those of the standard library."""

from __future__ import annotations

import copy
import pickle
from typing import Any
from typing import NamedTuple as Standard

import pytest

from airlock.tuples import NamedTuple


class Ours(NamedTuple):
    """Fields with and without defaults, and what a class adds."""

    name: str
    size: int = 3
    parts: tuple[str, ...] = ()

    @property
    def twice(self) -> int:
        """Twice the size."""
        return 2 * self.size

    @classmethod
    def empty(cls) -> Ours:
        """One without a name."""
        return cls("")


class Theirs(Standard):
    """The same fields."""

    name: str
    size: int = 3
    parts: tuple[str, ...] = ()


class Hidden(NamedTuple):
    """Shows nothing."""

    name: str

    def __repr__(self) -> str:
        return "<Hidden>"


CALLS: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    (("a",), {}),
    (("a", 5), {"parts": ("x",)}),
    ((), {"size": 1, "name": "b"}),
]


@pytest.mark.parametrize(("args", "named"), CALLS)
def test_made_and_changed_as_the_standard_ones(args: tuple[Any, ...], named: dict[str, Any]) -> None:
    ours, theirs = Ours(*args, **named), Theirs(*args, **named)
    assert tuple(ours) == tuple(theirs)
    assert ours == theirs
    assert hash(ours) == hash(theirs)
    assert (ours.name, ours.size, ours.parts) == (theirs.name, theirs.size, theirs.parts)
    assert ours._asdict() == theirs._asdict()
    assert tuple(ours._replace(size=9)) == tuple(theirs._replace(size=9))
    assert repr(ours) == repr(theirs).replace("Theirs", "Ours")
    assert ours._fields == theirs._fields
    assert type(ours._replace(size=9)) is Ours


@pytest.mark.parametrize(
    ("args", "named"), [((), {}), (("a", 1, (), 4), {}), (("a",), {"name": "b"}), (("a",), {"colour": 1})]
)
def test_wrong_arguments_are_refused(args: tuple[Any, ...], named: dict[str, Any]) -> None:
    for kind in (Ours, Theirs):
        with pytest.raises(TypeError):
            kind(*args, **named)


def test_wrong_values_are_refused() -> None:
    with pytest.raises(TypeError):
        Ours._make(("a",))
    with pytest.raises((ValueError, TypeError)):
        Ours("a")._replace(colour=1)  # type: ignore[call-arg]  # on purpose
    with pytest.raises(AttributeError):
        Ours("a").size = 4  # type: ignore[misc]  # on purpose
    with pytest.raises(AttributeError):
        Ours("a").colour = 4  # type: ignore[attr-defined]  # on purpose


def test_survives_copies_and_pickles() -> None:
    one = Ours("a", 2, ("b",))
    for other in (pickle.loads(pickle.dumps(one)), copy.copy(one), copy.deepcopy(one)):
        assert type(other) is Ours
        assert other == one


def test_keeps_what_the_class_adds() -> None:
    assert Ours("a").twice == 6
    assert Ours.empty() == ("", 3, ())
    assert repr(Hidden("secret")) == "<Hidden>"
    match Ours("a", 7):
        case Ours(name, size):
            assert (name, size) == ("a", 7)


def test_fields_without_a_default_come_first() -> None:
    with pytest.raises(TypeError):
        type(NamedTuple)("Wrong", (NamedTuple,), {"__annotations__": {"a": "int", "b": "int"}, "a": 1})
