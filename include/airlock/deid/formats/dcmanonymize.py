"""`studies.json` of DCMAnonymize: a profile per study, with actions by tag and by VR.

Its own seeds and salts are secrets of another system and are not repeated: pseudonyms and offsets are keyed by the
deployment. Actions by VR are carried out here, below those by tag, as its documentation says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydicom.valuerep import VR as KNOWN_VRS

from airlock.deid.formats.attributes import Attribute, of_vr, parse
from airlock.deid.formats.builder import Builder
from airlock.deid.formats.json_text import read_json
from airlock.deid.formats.model import Conversion, Fate, Verdict
from airlock.deid.formats.verdicts import (
    DATE_VRS,
    DAY_SECONDS,
    EMPTY,
    KEEP,
    REMOVE,
    hidden,
    pseudonym,
    shifted,
    unresolved,
)
from airlock.errors import PolicyError

_VRS = frozenset(str(vr.value) for vr in KNOWN_VRS)
_NOW = frozenset(("DTnow", "DAnow", "TMnow"))
_PARAMETERS = {
    "delete": set(),
    "clear": set(),
    "hash": {"salt", "seed"},
    "keep": set(),
    "value": {"value"},
    "offset": {"value", "delta", "seed"},
    "regen": {"seed"},
}
_STUDY = {"RemovePrivateTags", "SavePrivateTags", "RandomSeed", "AnonymizeTag", "AnonymizeVR"}


def read_studies(text: str, study: str | None = None) -> Conversion:
    """Read the profile of one study.

    :param study: its name, in any case; needed when the file has more than one.
    :raises PolicyError: when the file is not one, or has no such study.
    """
    name, profile = _pick(read_json(text), study)
    unknown = sorted(set(profile) - _STUDY)
    builder = Builder(f"DCMAnonymize profile {name}")
    if unknown:
        listed = ", ".join(unknown)
        builder.take(name, listed, Attribute("tag", name), unresolved("a setting that is not known"))
    _private(builder, profile)
    for section, attribute_of in (("AnonymizeTag", _by_tag), ("AnonymizeVR", _by_vr)):
        for key, rule in _mapping(profile.get(section) or {}, section).items():
            _take(builder, section, key, attribute_of(key), rule)
    return builder.finish()


def _pick(document: Any, study: str | None) -> tuple[str, Mapping[str, Any]]:
    studies = _mapping(document, "the file")
    if study is None and len(studies) == 1:
        study = next(iter(studies))
    if study is None:
        raise PolicyError(f"It holds several studies. Name one with --study: {', '.join(sorted(studies))}.")
    found = [name for name in studies if name.upper() == study.upper()]
    if len(found) != 1:
        raise PolicyError(f"It holds no such study, or more than one. Its studies: {', '.join(sorted(studies))}.")
    return found[0], _mapping(studies[found[0]], found[0])


def _mapping(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise PolicyError(f"{where} must be an object.")
    return value


def _private(builder: Builder, profile: Mapping[str, Any]) -> None:
    if not profile.get("RemovePrivateTags", True):
        builder.conversion.private = "safe"
        why = "only those that PS3.15 table E.3.10-1 calls safe"
        builder.note("RemovePrivateTags", "private", "false", "private: safe", Fate.STRICTER, why)
    for tag in profile.get("SavePrivateTags") or ():
        attribute = parse(str(tag)) or Attribute("tag", str(tag), 0x00090000)
        builder.take("SavePrivateTags", "keep", attribute, KEEP)


def _by_tag(key: str) -> Attribute | None:
    return parse(key)


def _by_vr(key: str) -> Attribute | None:
    return of_vr(key) if key in _VRS else None


def _take(builder: Builder, section: str, key: str, attribute: Attribute | None, rule: Any) -> None:
    told = rule.get("action", "delete") if isinstance(rule, dict) else rule
    if attribute is None and not key:
        builder.note(section, "(unnamed)", str(told), "", Fate.LEFT_OUT, "it names no attribute")
        return
    if attribute is None:
        known = "no attribute has this keyword" if section == "AnonymizeTag" else "no VR is called so"
        attribute, verdict = Attribute("tag", key), KEEP if told == "keep" else unresolved(known)
        if told == "keep":
            builder.note(section, key, "keep", "", Fate.LEFT_OUT, known)
            return
    else:
        verdict = _verdict(attribute, rule)
    builder.take(section, str(told), attribute, verdict)


def _verdict(attribute: Attribute, rule: Any) -> Verdict:
    if not isinstance(rule, dict):
        return unresolved("a rule is an object with an action")
    action = rule.get("action", "delete")
    if action not in _ACTIONS:
        return unresolved("an action that is not known")
    if unknown := sorted(set(rule) - {"action"} - _PARAMETERS[action]):
        return unresolved(f"a parameter that is not known: {', '.join(unknown)}")
    return _ACTIONS[action](attribute, rule)


def _hash(attribute: Attribute, rule: Mapping[str, Any]) -> Verdict:
    return pseudonym(attribute, why="keyed by the deployment, not by a salt" if rule.get("salt") else "")


def _value(attribute: Attribute, rule: Mapping[str, Any]) -> Verdict:
    value = rule.get("value")
    if value is None or value == "":
        return EMPTY
    if value in _NOW:
        return hidden(attribute, "the time of processing is not written")
    if attribute.vr == "SQ" or isinstance(value, (dict, list)):
        return unresolved("a sequence can't have this value")
    return Verdict("replace", {"value": str(value)})


def _offset(attribute: Attribute, rule: Mapping[str, Any]) -> Verdict:
    if attribute.vr not in DATE_VRS:
        return hidden(attribute, "only dates are moved")
    seconds = rule.get("value", rule.get("delta"))
    if seconds is None:
        return shifted(attribute, why="the deployment key gives each subject its offset")
    try:
        days, rest = divmod(int(seconds), DAY_SECONDS)
    except (TypeError, ValueError):
        return unresolved("an offset is a number of seconds")
    if rest:
        return shifted(attribute, why="not a whole number of days: each subject gets an offset of days")
    return shifted(attribute, days)


def _regenerate(attribute: Attribute, rule: Mapping[str, Any]) -> Verdict:
    if attribute.vr == "UI":
        return Verdict("uid")
    if attribute.vr in DATE_VRS:
        return Verdict("dummy", fate=Fate.STRICTER, why="a date made of the time of processing differs at every run")
    return hidden(attribute, "only UIDs and dates are made anew")


_ACTIONS: dict[str, Callable[[Attribute, Mapping[str, Any]], Verdict]] = {
    "delete": lambda _attribute, _rule: REMOVE,
    "clear": lambda _attribute, _rule: EMPTY,
    "keep": lambda _attribute, _rule: KEEP,
    "hash": _hash,
    "value": _value,
    "offset": _offset,
    "regen": _regenerate,
}
