"""What the functions of the CTP anonymizer become.

CTP hashes without a key and counts without limits; here hashes and offsets are keyed by the deployment. What a function
takes from another element is not copied: the element itself is then treated as if the value were its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from airlock.deid.formats.attributes import Attribute, parse
from airlock.deid.formats.ctp_syntax import Call
from airlock.deid.formats.model import Fate, Verdict
from airlock.deid.formats.verdicts import EMPTY, KEEP, REMOVE, hidden, pseudonym, shifted, unresolved

HOLD = Verdict("hold")


@dataclass(frozen=True)
class Scope:
    """Where a call stands.

    :param attribute: what it writes.
    :param parameters: of the script, by name.
    :param tables: file of each lookup table that is given, by key type.
    :param rsna: the script is one of the RSNA anonymizer.
    """

    attribute: Attribute
    parameters: Mapping[str, str] = field(default_factory=dict)
    tables: Mapping[str, str] = field(default_factory=dict)
    rsna: bool = False

    def own(self, name: str) -> bool:
        """Whether an argument names the element itself."""
        name = name.strip()
        if name in ("", "this"):
            return True
        other = parse(name)
        return other is not None and other.name == self.attribute.name

    def value(self, argument: str) -> str | None:
        """Return an argument, or the parameter that it names with `@` or `$`; None when there is no such parameter."""
        argument = argument.strip()
        return self.parameters.get(argument[1:]) if argument[:1] in ("@", "$") else argument

    def number(self, argument: str) -> int | None:
        """Return an argument as an integer, None when it is none."""
        value = (self.value(argument) or "").strip()
        return int(value) if value.removeprefix("-").isdecimal() else None


Function = Callable[[Scope, Call], Verdict]


def _keep(scope: Scope, call: Call) -> Verdict:
    return KEEP


def _remove(scope: Scope, call: Call) -> Verdict:
    return REMOVE


def _empty(scope: Scope, call: Call) -> Verdict:
    return EMPTY


def _blank(scope: Scope, call: Call) -> Verdict:
    return EMPTY.because("trailing spaces are no value in DICOM", Fate.SAME)


def _hold(scope: Scope, call: Call) -> Verdict:
    return HOLD


def _skip(scope: Scope, call: Call) -> Verdict:
    return HOLD.because("CTP passes the object on as it is; here a person looks at it")


def _hash_uid(scope: Scope, call: Call) -> Verdict:
    other = len(call.arguments) > 1 and not scope.own(call.argument(1))
    return pseudonym(scope.attribute, why="made of its own value, not of another element's" if other else "")


def _hash(scope: Scope, call: Call) -> Verdict:
    other = "" if scope.own(call.argument(0)) else "made of its own value, not of another element's"
    return pseudonym(scope.attribute, scope.number(call.argument(1)) or 16, other)


def _hash_name(scope: Scope, call: Call) -> Verdict:
    return pseudonym(scope.attribute, scope.number(call.argument(1)) or 4, "all of the name is hashed, not some words")


def _hash_patient(scope: Scope, call: Call) -> Verdict:
    return pseudonym(scope.attribute, scope.number(call.argument(2)) or 16, "keyed by the deployment, not by the site")


def _hash_date(scope: Scope, call: Call) -> Verdict:
    return shifted(scope.attribute, why="the deployment key gives each subject its offset")


def _increment_date(scope: Scope, call: Call) -> Verdict:
    days = scope.number(call.argument(1))
    if not scope.own(call.argument(0)):
        return shifted(scope.attribute, why="its own date is moved, not another element's")
    return shifted(scope.attribute, days, "" if days is not None else "the offset is not a number in the script")


def _lookup(scope: Scope, call: Call) -> Verdict:
    table, fallback = call.argument(1), call.argument(2)
    if table not in scope.tables:
        return unresolved(f"the lookup table {table!r} is not given (--lookup)")
    if not scope.own(call.argument(0)):
        return unresolved("it looks up another element's value")
    loose = fallback in ("keep", "ignore")
    return Verdict(
        "lookup",
        {"table": scope.tables[table], "type": table},
        Fate.STRICTER if fallback else Fate.SAME,
        f"what the table lacks is held, not {'kept' if loose else 'replaced'}" if fallback else "",
    )


def _integer(scope: Scope, call: Call) -> Verdict:
    return pseudonym(scope.attribute, scope.number(call.argument(2)) or 16, "a keyed hash instead of a running number")


def _round(scope: Scope, call: Call) -> Verdict:
    size = scope.number(call.argument(1))
    if scope.attribute.vr != "AS" or not size or size < 1 or not scope.own(call.argument(0)):
        return hidden(scope.attribute, "only an age is rounded, to a number of years")
    return Verdict("round", {"to": size})


def _truncate(scope: Scope, call: Call) -> Verdict:
    length = scope.number(call.argument(1))
    if length is None or length < 0 or not scope.own(call.argument(0)):
        return hidden(scope.attribute, "only the beginning of its own value can be kept")
    return Verdict("truncate", {"length": length}) if length else EMPTY


def _param(scope: Scope, call: Call) -> Verdict:
    value = scope.value(call.argument(0))
    return unresolved("the script has no such parameter") if value is None else Verdict("replace", {"value": value})


def _contents(scope: Scope, call: Call) -> Verdict:
    if len(call.arguments) == 1 and scope.own(call.argument(0)):
        return KEEP
    return hidden(scope.attribute, "what would be left of the value can't be foreseen")


def _value(scope: Scope, call: Call) -> Verdict:
    if scope.own(call.argument(0)):
        return KEEP.because("its default is not written", Fate.SAME)
    return hidden(scope.attribute, "another element's value is not copied")


def _same_text(scope: Scope, call: Call) -> Verdict:
    if scope.own(call.argument(0)):
        return KEEP.because("kept in the case that it has", Fate.SAME)
    return hidden(scope.attribute, "another element's value is not copied")


def _require(scope: Scope, call: Call) -> Verdict:
    if call.arguments and not scope.own(call.argument(0)):
        return hidden(scope.attribute, "another element's value is not copied")
    default = call.argument(1)
    return Verdict("require", {"value": default} if default else {})


def _process(scope: Scope, call: Call) -> Verdict:
    return KEEP.because("the items of a sequence are always treated", Fate.SAME)


def _hidden_because(why: str) -> Function:
    return lambda scope, _call: hidden(scope.attribute, why)


def _refused_because(why: str) -> Function:
    return lambda _scope, _call: unresolved(why)


FUNCTIONS: dict[str, Function] = {
    "keep": _keep,
    "remove": _remove,
    "empty": _empty,
    "blank": _blank,
    "quarantine": _hold,
    "skip": _skip,
    "hash": _hash,
    "hashuid": _hash_uid,
    "hashname": _hash_name,
    "hashptid": _hash_patient,
    "hashdate": _hash_date,
    "incrementdate": _increment_date,
    "lookup": _lookup,
    "integer": _integer,
    "round": _round,
    "truncate": _truncate,
    "param": _param,
    "contents": _contents,
    "value": _value,
    "lowercase": _same_text,
    "uppercase": _same_text,
    "require": _require,
    "process": _process,
    "initials": _hidden_because("initials say who it is"),
    "scrambled": _hidden_because("scrambled letters can be put back"),
    "encrypt": _hidden_because("who has the key of the script can decrypt it"),
    "modifydate": _hidden_because("a date that keeps some of its parts says too much"),
    "dateinterval": _hidden_because("days since a date of a table can't be told here"),
    "date": _hidden_because("the day of processing is not written"),
    "time": _hidden_because("the time of processing is not written"),
    "pathelement": _hidden_because("a part of a path can't be told here"),
    "decrypt": _refused_because("it would bring an original value back"),
    "call": _refused_because("it runs code that is not in the script"),
}
"""By name; `always`, `append`, `if` and `select` are part of the language itself."""


def _accession(scope: Scope, call: Call) -> Verdict:
    return pseudonym(scope.attribute, why="a keyed hash instead of a running number")


RSNA: dict[str, Function] = {"uid": _hash_uid, "ptid": _hash_patient, "acc": _accession}
"""What only the RSNA anonymizer has."""


def verdict(scope: Scope, call: Call) -> Verdict:
    """Return what a call becomes; a function that is not known is never passed over."""
    function = FUNCTIONS.get(call.name) or (RSNA.get(call.name) if scope.rsna else None)
    if function is None:
        return unresolved(f"the function @{call.name} is not known")
    return function(scope, call)
