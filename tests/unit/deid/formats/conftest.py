"""Shorthand to convert one expression of a CTP script."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from airlock.deid.formats.ctp import read_ctp
from tests.foreign_rules import rules_of


@pytest.fixture
def ctp() -> Callable[..., tuple[str, str]]:
    """The rule that an expression becomes, and its fate."""

    def convert(expression: str, tag: str = "00081030", extra: str = "", **options) -> tuple[str, str]:
        body = expression.replace("&", "&amp;").replace("<", "&lt;")
        conversion = read_ctp(f'<script><e en="T" t="{tag}" n="x">{body}</e>{extra}</script>', **options)
        entry = conversion.entries[0]
        return rules_of(conversion).get(entry.target, ""), entry.fate.value

    return convert
