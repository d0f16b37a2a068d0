"""Lookup tables of a project: old values and what they become.

They hold identifiers: they are read where they lie and never copied, listed or logged.
"""

from __future__ import annotations

import csv
from functools import lru_cache
from pathlib import Path

from airlock.errors import PolicyError


@lru_cache(maxsize=64)
def load_lookup(path: str, kind: str | None = None) -> dict[str, str]:
    """Read a table: CSV with the columns id_old and id_new, or CTP's lines `type/old=new`.

    :param kind: type of CTP's keys; others are left out.
    :raises PolicyError: when it cannot be read, or says two things of one value.
    """
    try:
        lines = Path(path).read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        raise PolicyError(f"The lookup table {Path(path).name} cannot be read as UTF-8 text.") from None
    header = [cell.strip().lower() for cell in lines[0].split(",")] if lines else []
    if "id_old" in header and "id_new" in header:
        rows = [
            (number, row["id_old"], row["id_new"])
            for number, row in enumerate(csv.DictReader(lines, fieldnames=header), start=1)
        ][1:]
    else:
        rows = _properties(lines, kind, path)
    table: dict[str, str] = {}
    for number, old, new in rows:
        if new is None or not (old or "").strip():
            raise PolicyError(f"{Path(path).name}:{number}: a row of the lookup table is not whole.")
        if table.setdefault(old.strip(), new.strip()) != new.strip():
            raise PolicyError(f"{Path(path).name}:{number}: the lookup table has two entries for one value.")
    return table


def _properties(lines: list[str], kind: str | None, path: str) -> list[tuple[int, str, str]]:
    rows = []
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.lstrip().startswith(("#", "!")):
            continue
        key, sign, value = line.partition("=")
        if not sign:
            raise PolicyError(f"{Path(path).name}:{number}: not a line of a lookup table such as type/old=new.")
        prefix, slash, rest = key.strip().partition("/")
        if kind is None:
            rows.append((number, rest if slash else prefix, value))
        elif slash and prefix == kind:
            rows.append((number, rest, value))
    return rows
