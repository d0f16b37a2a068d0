"""Writes converted rules as a project file. The only place that knows how project files spell them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from airlock.deid.formats.builder import EDITION
from airlock.deid.formats.model import Conversion, Rule

_HEAD = """\
# Converted from: {format}. Look through the rules before you use them: what is looser than PS3.15 must be allowed by
# the project's approval. What became of each foreign rule, the conversion printed.
"""
_UNRESOLVED = """\
# Rules that could not be told: {count}. Airlock refuses this file until an action replaces each `action: unresolved`.
"""


def policy_text(conversion: Conversion, name: str) -> str:
    """Return the text of a project file.

    :param name: of the project.
    """
    return "".join(_lines(conversion, name))


def _lines(conversion: Conversion, name: str) -> Iterator[str]:
    yield _HEAD.format(format=conversion.format)
    if conversion.unresolved:
        yield _UNRESOLVED.format(count=conversion.unresolved)
    yield f"name: {_flow(name)}\n"
    yield f"deidentify:\n  edition: {EDITION}\n  unlisted: remove\n"
    yield f"  private: {_flow(_private(conversion))}\n"
    if not conversion.rules:
        yield "  rules: []\n"
        return
    yield "  rules:\n"
    for rule in conversion.rules:
        why = f"  # {' '.join(rule.verdict.why.split())}" if rule.verdict.why else ""
        yield f"    - {_flow(_rule(rule))}{why}\n"


def _private(conversion: Conversion) -> dict[str, Any]:
    private: dict[str, Any] = {"mode": conversion.private}
    if conversion.keep_private:
        private["keep"] = conversion.keep_private
    return private


def _rule(rule: Rule) -> dict[str, Any]:
    written: dict[str, Any] = {rule.attribute.where: rule.attribute.name, "action": rule.verdict.action}
    written.update(rule.verdict.arguments)
    if rule.when:
        written["when"] = rule.when
    return written


def _flow(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, width=10**9, sort_keys=False, allow_unicode=True)
    return text.removesuffix("\n").removesuffix("...").strip()
