"""Tells the classification types of series from the values of their instances.

A series has a type when one of its instances matches a rule for it, or every one, where the rule says so. Operators do
what their names say: FIONA's own program stumbles over `exist` and `notexist`, takes a comparison with what is no
number for true, and negates the clauses of another rule one by one.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from airlock.classification import CLASSIFY_TYPE, NUM_FILES, ClassRule, Clause, Rules, address, by_id, needed, tags
from airlock.screen.values import Value, Values

Found = tuple[Value, ...] | None
"""Values of an attribute; None when it is absent."""
Signature = tuple[Found, ...]


class Classifier:
    """Collects the instances of a study, then tells the types of its series.

    :param rules: of the project.
    :param wanted: types that decide something.
    """

    def __init__(self, rules: Rules, wanted: Sequence[str]) -> None:
        self._known = by_id(rules)
        self._rules = needed(rules, wanted)
        self._wanted = frozenset(wanted)
        self.tags = tuple(sorted(tags(self._rules, self._known)))
        self._series: defaultdict[str, Counter[Signature]] = defaultdict(Counter)

    def __bool__(self) -> bool:
        return bool(self._rules)

    def add(self, series_uid: str, values: Values) -> None:
        """Note an instance."""
        signature = tuple(tuple(values.of(tag)) if tag in values else None for tag in self.tags)
        self._series[series_uid][signature] += 1

    def types(self) -> dict[str, frozenset[str]]:
        """Return the types of each series, of those that decide something."""
        return {uid: self._classify(instances) & self._wanted for uid, instances in self._series.items()}

    def _classify(self, instances: Counter[Signature]) -> frozenset[str]:
        found: set[str] = set()
        size = instances.total()
        # Rules may compare the types that other rules give.
        for _ in range(len(self._rules) + 1):
            before = len(found)
            for rule in self._rules:
                matches = (self._holds(rule, self._fields(s, found, size)) for s in instances)
                if all(matches) if rule.whole_series else any(matches):
                    found.add(rule.type)
            if len(found) == before:
                break
        return frozenset(found)

    def _fields(self, signature: Signature, types: set[str], size: int) -> dict[int | str, Found]:
        fields: dict[int | str, Found] = dict(zip(self.tags, signature, strict=True))
        return {**fields, CLASSIFY_TYPE: tuple(sorted(types)), NUM_FILES: (str(size),)}

    def _holds(self, rule: ClassRule, fields: Mapping[int | str, Found]) -> bool:
        return all(self._clause(clause, fields) for clause in rule.rules)

    def _clause(self, clause: Clause, fields: Mapping[int | str, Found]) -> bool:
        name = clause.rule if clause.rule is not None else clause.notrule
        if name is not None:
            return self._holds(self._known[name], fields) is not clause.negated
        return compare(clause, fields) is not clause.negated


def compare(clause: Clause, fields: Mapping[int | str, Found]) -> bool:
    """Whether an attribute is as a clause says, before it is negated."""
    found = _value(clause.tag, fields)
    if clause.operator in ("exist", "notexist"):
        return (found is not None) is (clause.operator == "exist")
    reference = clause.reference
    other = None if reference is None else _value(reference, fields)
    wanted = _listed(clause.value) if other is None else other
    return _OPERATORS[clause.operator](found or (), wanted, clause.approx_level)


def _value(named: Sequence[str], fields: Mapping[int | str, Found]) -> Found:
    where = address(named)
    found = None if where is None else fields.get(where)
    if len(named) == 3 and found is not None:
        number = int(named[2], 0)
        return found[number : number + 1] or None
    return found


def _listed(value: object) -> tuple[Value, ...]:
    many = value if isinstance(value, (list, tuple)) else [value]
    return tuple(part if isinstance(part, (int, float)) else str(part) for part in many)


def _written(values: Sequence[Value]) -> str:
    """Return values as one text: several in brackets, as FIONA's rules expect them, `[0, 256, 256, 0]`."""
    if len(values) == 1:
        return str(values[0])
    return str([_number(value) if _is_number(value) else value for value in values]) if values else ""


def _is_number(value: Value) -> bool:
    return not isinstance(value, str)


def _number(value: Value) -> float | int:
    return value if isinstance(value, (int, float)) else float(value)


def _numbers(values: Sequence[Value]) -> list[float] | None:
    try:
        return [float(value) for value in values]
    except ValueError:
        return None


def _regexp(found: Sequence[Value], wanted: Sequence[Value], _: float) -> bool:
    try:
        return re.search(_written(wanted), _written(found)) is not None
    except re.error:
        # The pattern came from an attribute.
        return False


def _contains(found: Sequence[Value], wanted: Sequence[Value], _: float) -> bool:
    text = _written(wanted)
    return text in _written(found) if len(found) == 1 else text in map(str, found)


def _equal(found: Sequence[Value], wanted: Sequence[Value], _: float) -> bool:
    numbers, others = _numbers(found), _numbers(wanted)
    if numbers is not None and others is not None:
        return numbers == others
    return [str(value) for value in found] == [str(value) for value in wanted]


def _unequal(found: Sequence[Value], wanted: Sequence[Value], level: float) -> bool:
    return not _equal(found, wanted, level)


def _less(found: Sequence[Value], wanted: Sequence[Value], _: float) -> bool:
    numbers, others = _numbers(found), _numbers(wanted)
    return numbers[0] < others[0] if numbers and others else False


def _greater(found: Sequence[Value], wanted: Sequence[Value], level: float) -> bool:
    return _less(wanted, found, level)


def _near(found: Sequence[Value], wanted: Sequence[Value], level: float) -> bool:
    numbers, others = _numbers(found), _numbers(wanted)
    if not numbers or not others or len(numbers) != len(others):
        return False
    return all(abs(number - other) <= level for number, other in zip(numbers, others, strict=True))


_OPERATORS = {
    "regexp": _regexp,
    "contains": _contains,
    "==": _equal,
    "!=": _unequal,
    "<": _less,
    ">": _greater,
    "approx": _near,
}
