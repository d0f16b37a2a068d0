"""What an expression of the CTP anonymizer becomes: one verdict, or several under conditions."""

from __future__ import annotations

import re
from typing import Any

from airlock.deid.formats.attributes import parse as attribute_named
from airlock.deid.formats.builder import Branch
from airlock.deid.formats.ctp_functions import Scope, verdict
from airlock.deid.formats.ctp_syntax import Call, NotUnderstood, Part, parse
from airlock.deid.formats.model import Verdict, strictest
from airlock.deid.formats.verdicts import EMPTY, hidden, pseudonym, unresolved

_HIDING = {"hash", "uid", "dummy", "replace", "empty", "lookup"}


def branches(text: str, scope: Scope) -> list[Branch]:
    """Return what is to be done: verdicts under conditions, the last one without."""
    try:
        parts = parse(text)
    except NotUnderstood as error:
        return [(None, unresolved(str(error)))]
    parts = [part for part in parts if not (isinstance(part, Call) and part.name == "always")]
    if not parts:
        return [(None, EMPTY)]
    if len(parts) == 1 and isinstance(parts[0], Call) and parts[0].name == "if":
        return _if(parts[0], scope)
    return [(None, _joined(parts, scope))]


def _single(text: str, scope: Scope) -> Verdict:
    """Return one verdict for a script, the strictest of its branches."""
    found = [verdict for _, verdict in branches(text, scope)]
    chosen = strictest(found)
    return chosen if len(found) == 1 or chosen.why else chosen.because("the strictest of its branches")


def _if(call: Call, scope: Scope) -> list[Branch]:
    then, otherwise = _single(call.blocks[0], scope), branches(call.blocks[1], scope)
    conditions = _conditions(call, scope)
    if conditions:
        return [*((condition, then) for condition in conditions), *otherwise]
    chosen = strictest((then, *(verdict for _, verdict in otherwise)))
    if chosen.action == "unresolved":
        return [(None, chosen)]
    return [(None, chosen.because("its condition can't be told here: the strictest of its branches"))]


def _conditions(call: Call, scope: Scope) -> list[dict[str, Any]]:
    """Return conditions of which one must hold; none when they can't be told."""
    asked = call.argument(0)
    attribute = scope.attribute if asked in ("", "this") else attribute_named(asked)
    if attribute is None or attribute.where != "tag" or attribute.tag is None or len(call.arguments) < 2:
        return []
    test, wanted = call.arguments[1].strip(), scope.value(call.argument(2))
    tag = {"tag": attribute.name}
    if test == "exists":
        return [{**tag, "exists": True}]
    if test == "isblank":
        return [{**tag, "exists": False}, {**tag, "matches": r"\s*"}]
    pattern = _pattern(test, wanted, attribute.vr) if wanted is not None and len(call.arguments) > 2 else None
    return [] if pattern is None else [{**tag, "matches": pattern}]


def _pattern(test: str, wanted: str, vr: str) -> str | None:
    """Return a pattern for the whole value; None when the test can't be told by one."""
    if test == "greaterthan":
        return _greater(wanted) if vr in ("AS", "IS", "DA") else None
    patterns = {
        "contains": f"(?is:.*{re.escape(wanted)}.*)",
        "equals": f"(?i:{re.escape(wanted)})",
        "matches": f"(?:{wanted.strip()})",
    }
    try:
        return re.compile(patterns[test]).pattern
    except (KeyError, re.error):
        return None


def _greater(wanted: str) -> str:
    """Return a pattern for values whose digits make a larger number; letters after them, as ages have, don't count."""
    digits = str(int(re.sub(r"\D", "", wanted) or "0"))
    longer = f"[1-9][0-9]{{{len(digits)},}}"
    as_long = [
        f"{digits[:place]}[{int(digit) + 1}-9][0-9]{{{len(digits) - place - 1}}}"
        for place, digit in enumerate(digits)
        if digit != "9"
    ]
    return f"0*(?:{'|'.join([longer, *as_long])})[^0-9]*"


def _joined(parts: list[Part], scope: Scope) -> Verdict:
    """Return one verdict for parts that CTP writes one after the other."""
    verdicts = [_part(part, scope) for part in parts]
    if len(verdicts) == 1:
        return verdicts[0]
    actions = {found.action for found in verdicts}
    for final in ("unresolved", "hold", "remove"):
        if final in actions:
            return next(found for found in verdicts if found.action == final)
    if actions == {"replace"}:
        return Verdict("replace", {"value": "".join(found.arguments["value"] for found in verdicts)})
    if actions <= _HIDING:
        return pseudonym(scope.attribute, why="of several parts only the pseudonym is written")
    return hidden(scope.attribute, "several parts, of which one holds something of the original")


def _part(part: Part, scope: Scope) -> Verdict:
    if isinstance(part, str):
        return Verdict("replace", {"value": part})
    if part.name == "if":
        return strictest(verdict for _, verdict in _if(part, scope))
    if part.name == "select":
        at_top, in_items = (_single(block, scope) for block in part.blocks)
        return at_top if at_top == in_items else strictest((at_top, in_items)).because("at every level alike")
    if part.name == "append":
        added = _single(part.blocks[0], scope)
        return added.because("the earlier values are not kept") if added.action != "unresolved" else added
    return verdict(scope, part)
