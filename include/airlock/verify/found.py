"""What verification finds: problems, named by attribute and reason, and what is judged over a whole study."""

from __future__ import annotations

from collections.abc import Iterable

from airlock.tuples import NamedTuple
from airlock.typed import TypeVar

T = TypeVar("T")


class Problem(NamedTuple):
    """Something wrong with an output. It holds no value.

    :param attribute: keyword or tag, or what else of the file it is about.
    :param reason: from a fixed set of phrases.
    :param identifier: whether an identifier was found.
    :param weak: a possible false alarm: a person should look.
    """

    attribute: str
    reason: str
    identifier: bool = False
    weak: bool = False


Pair = tuple[str, str, int]
"""A UID of the input, what stands in its place, and the tag of the attribute."""


class Found(NamedTuple):
    """What was found in one element. All but the problems are patient data: never log them.

    :param offsets: days by which dates were moved, with their tags.
    :param lost: UIDs of the input whose attribute is missing.
    """

    problems: tuple[Problem, ...] = ()
    pairs: tuple[Pair, ...] = ()
    offsets: tuple[tuple[int, int], ...] = ()
    lost: tuple[tuple[str, int], ...] = ()


NOTHING = Found()


class Collected:
    """What was found in many elements."""

    __slots__ = ("lost", "offsets", "pairs", "problems")

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.pairs: list[Pair] = []
        self.offsets: list[tuple[int, int]] = []
        self.lost: list[tuple[str, int]] = []

    def __repr__(self) -> str:
        return "<Collected>"

    def add(self, found: Found) -> None:
        """Add what was found in one element."""
        self.problems += found.problems
        self.pairs += found.pairs
        self.offsets += found.offsets
        self.lost += found.lost

    def problem(self, attribute: str, reason: str) -> None:
        """Add a problem that is not about an identifier."""
        self.problems.append(Problem(attribute, reason))

    def frozen(self) -> Found:
        """Return everything without repetitions."""
        if not (self.problems or self.pairs or self.offsets or self.lost):
            return NOTHING
        parts = (self.problems, self.pairs, self.offsets, self.lost)
        return Found(*(tuple(dict.fromkeys(part)) for part in parts))  # type: ignore[arg-type]  # in their order


def together(parts: list[Found]) -> Found:
    """Return what was found in several places, without repetitions.

    :param parts: at least one; the first has no repetitions.
    """
    problems, pairs, offsets, lost = parts[0]
    for part in parts[1:]:
        if part is NOTHING:
            continue
        if part.pairs:
            pairs = _joined(pairs, part.pairs)
        if part.problems or part.offsets or part.lost:
            problems, lost = _joined(problems, part.problems), _joined(lost, part.lost)
            offsets = _joined(offsets, part.offsets)
    return Found(problems, pairs, offsets, lost)


def _joined(known: tuple[T, ...], more: tuple[T, ...]) -> tuple[T, ...]:
    return (*known, *[each for each in dict.fromkeys(more) if each not in known])


def verdict(problems: Iterable[Problem]) -> str:
    """Return `pass`, `review` when all that was found may be a false alarm, else `fail`."""
    weak = [problem.weak for problem in problems]
    return "pass" if not weak else "review" if all(weak) else "fail"
