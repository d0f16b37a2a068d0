"""Shorthand to look at what foreign de-identification rules became."""

from __future__ import annotations

from airlock.deid.formats.model import Conversion


def rules_of(conversion: Conversion) -> dict[str, str]:
    """Actions with their arguments by attribute; several for one attribute are joined by `; `."""
    found: dict[str, str] = {}
    for rule in conversion.rules:
        words = " ".join(f"{k}={v}" for k, v in rule.verdict.arguments.items())
        told = f"{rule.verdict.action} {words}".strip()
        if rule.when:
            condition = {k: v for k, v in rule.when.items() if k != "tag"}
            told += f" when {rule.when['tag']} {condition}"
        earlier = found.get(rule.attribute.name)
        found[rule.attribute.name] = f"{earlier}; {told}" if earlier else told
    return found


def fates_of(conversion: Conversion) -> dict[str, str]:
    """What became of the rule for each attribute, the last where there were several."""
    return {entry.target: entry.fate.value for entry in conversion.entries}
