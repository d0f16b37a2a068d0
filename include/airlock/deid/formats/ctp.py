"""CTP anonymizer scripts, and those of the RSNA anonymizer, which look the same and mean something else.

In CTP an element without a line stays unless `unspecifiedelements` are removed; in the RSNA anonymizer it is always
removed, an empty line keeps, and switched-off lines count.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from airlock.deid.formats.attributes import Attribute, group, is_creator, parse
from airlock.deid.formats.builder import Branch, Builder
from airlock.deid.formats.ctp_expression import branches
from airlock.deid.formats.ctp_functions import RSNA, Scope
from airlock.deid.formats.ctp_script import Line, read_properties, read_xml
from airlock.deid.formats.model import Conversion, Fate, Verdict
from airlock.deid.formats.verdicts import EMPTY, KEEP, REMOVE, unresolved

_BARE_RSNA = re.compile(rf"@({'|'.join(RSNA)})\b(?!\s*\()|@(keep|remove)\b(?!\s*\()")
_REMOVED_GROUPS = {"overlays": "60xx", "curves": "50xx"}
_UNSCRIPTED = ("0028", "7fe0")
"""Groups that CTP leaves without a line even where it removes unspecified elements: pixels and their description."""


def read_ctp(text: str, tables: Mapping[str, str] | None = None, dialect: str = "") -> Conversion:
    """Read a script.

    :param tables: file of each lookup table, by key type.
    :param dialect: `ctp` or `rsna`; recognised when not given.
    :raises PolicyError: when the file is not one.
    """
    lines = read_xml(text) if text.lstrip("\ufeff \t\r\n").startswith("<") else read_properties(text)
    rsna = dialect == "rsna" or (not dialect and any(_BARE_RSNA.search(line.text) for line in lines))
    return _Script(lines, tables or {}, rsna).convert()


class _Script:
    def __init__(self, lines: list[Line], tables: Mapping[str, str], rsna: bool) -> None:
        self._lines = lines
        self._tables = tables
        self._rsna = rsna
        self._parameters = {line.target: line.text for line in lines if line.kind == "p"}
        self._on = {(line.kind, line.target) for line in lines if line.enabled}
        self._builder = Builder("RSNA anonymizer script" if rsna else "CTP anonymizer script")

    def convert(self) -> Conversion:
        conversion = self._builder.conversion
        conversion.allow_list = self._rsna or ("r", "unspecifiedelements") in self._on
        treat = {"e": self._element, "k": self._keep, "r": self._remove, "p": self._parameter}
        for line in self._lines:
            treat[line.kind](line)
        if not self._rsna:
            self._what_ctp_never_removes()
        return self._builder.finish()

    def _what_ctp_never_removes(self) -> None:
        if self._builder.conversion.allow_list:
            for number in _UNSCRIPTED:
                self._builder.take("", "without a line", group(number), KEEP)

    def _element(self, line: Line) -> None:
        place, attribute = f"line {line.number}", parse(line.target)
        if attribute is None:
            self._unnamed(line)
        elif not line.enabled:
            self._switched_off(line, attribute)
        elif not line.text:
            self._builder.take(place, "(empty)", attribute, KEEP if self._rsna else EMPTY)
        else:
            scope = Scope(attribute, self._parameters, self._tables, self._rsna)
            self._builder.branches(place, line.text, attribute, self._branches(line, scope))

    def _branches(self, line: Line, scope: Scope) -> list[Branch]:
        found = branches(line.text, scope)
        if scope.attribute.vr != "SQ":
            return found
        why = "the items of a sequence are always treated"
        return [(when, v.because(why) if v.action == "keep" and not v.why else v) for when, v in found]

    def _unnamed(self, line: Line) -> None:
        place = f"line {line.number}"
        if is_creator(line.target):
            why = "private creators go with their elements"
            self._builder.note(place, line.target, line.text, "", Fate.COVERED, why)
        elif not line.enabled:
            self._builder.note(place, line.target, line.text, "", Fate.LEFT_OUT, "switched off")
        else:
            attribute = Attribute("tag", line.target or "(unnamed)")
            self._builder.take(place, line.text, attribute, unresolved("names no element"))

    def _switched_off(self, line: Line, attribute: Attribute) -> None:
        removed = self._builder.conversion.allow_list
        why = f"switched off: {'removed as all others' if removed else 'PS3.15 decides'}"
        fate = Fate.SAME if removed and not self._rsna else Fate.STRICTER
        self._builder.note(f"line {line.number}", attribute.name, line.text, "", fate, why)

    def _parameter(self, line: Line) -> None:
        self._builder.note(
            f"line {line.number}", line.target, "parameter", "", Fate.COVERED, "written where it is used"
        )

    def _keep(self, line: Line) -> None:
        place, source = f"line {line.number}", f"keep {line.target}"
        if not line.enabled or self._rsna:
            why = "the RSNA anonymizer passes it over" if self._rsna else "switched off"
            self._builder.note(place, line.target, source, "", Fate.LEFT_OUT, why)
        elif line.target.startswith("safe"):
            self._builder.conversion.private = "safe"
            self._builder.note(place, "private", source, "private: safe", Fate.SAME)
        elif re.fullmatch("[0-9a-fA-F]{1,4}", line.target) and not int(line.target, 16) & 1:
            self._builder.take(place, source, group(line.target), KEEP)
        else:
            self._builder.note(place, line.target, source, "", Fate.STRICTER, "private groups are not kept as a whole")

    def _remove(self, line: Line) -> None:
        place, source = f"line {line.number}", f"remove {line.target}"
        active = line.enabled or self._rsna
        if line.target in _REMOVED_GROUPS:
            verdict = REMOVE if active else _LEFT_TO_TABLE
            attribute = group(_REMOVED_GROUPS[line.target])
            if active:
                self._builder.take(place, source, attribute, verdict)
            else:
                self._builder.note(place, attribute.name, source, "", Fate.STRICTER, verdict.why)
        elif line.target == "unspecifiedelements":
            removed = self._builder.conversion.allow_list
            fate = Fate.SAME if removed else Fate.STRICTER
            self._builder.note(
                place, "all others", source, "remove" if removed else "", fate, "" if removed else "PS3.15 decides"
            )
        elif line.target == "privategroups":
            fate = Fate.SAME if active else Fate.STRICTER
            self._builder.note(place, "private", source, "remove", fate, "" if active else "never kept as a whole")
        elif active:
            self._builder.take(place, source, Attribute("tag", line.target), unresolved("a group that is not known"))


_LEFT_TO_TABLE = Verdict("remove", why="switched off; PS3.15 decides")
