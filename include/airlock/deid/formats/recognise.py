"""Tells by its content in which format a file of rules is written."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from airlock.errors import PolicyError

FORMATS = ("ctp", "rsna", "studies", "stations", "annex-e", "deid", "fiona")
"""Names of the formats; `rsna` looks like `ctp` and is told apart when it is read."""

MAX_BYTES = 16 << 20
_CTP_LINE = re.compile(r"(?m)^\s*#?(?:set\.\[|param\.\w|keep\.(?:group|safe)|remove\.\w)")
_ANNEX_E_LINE = re.compile(r"(?m)^[^\t\n]+\t\s*\([0-9a-fA-F]{4},")
_FIONA_CSV = re.compile(r'\A"?(?:group|tag1|[0-9a-fA-F]{4})"?\s*,\s*"?(?:element|tag2|[0-9a-fA-F]{4})"?\s*,', re.I)


def read_text(path: Path) -> str:
    """Read a file of rules as text.

    :raises PolicyError: when it can't be read, is too large, or is not UTF-8 text.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise PolicyError(f"{path.name}: larger than {MAX_BYTES >> 20} MB; that is no file of rules.")
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise PolicyError(f"{path.name}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise PolicyError(f"{path.name}: not UTF-8 text. Convert it first, for example with iconv.") from None


def recognise(text: str) -> str:
    """Return the name of the format.

    :raises PolicyError: when it is none that is known.
    """
    start = text.lstrip()
    if start.startswith("<"):
        found = "ctp" if re.search(r"<script[\s/>]", start) else None
    elif start[:1] in ("{", "["):
        found = _json_format(text)
    else:
        found = _text_format(start)
    if found is None:
        raise PolicyError(f"The format is not known. Name it with --format: {', '.join(FORMATS)}.")
    return found


def _text_format(text: str) -> str | None:
    if re.search(r"(?im)^FORMAT\s+\w+", text) or re.search(r"(?m)^%(header|fields|filter)\b", text):
        return "deid"
    if _CTP_LINE.search(text):
        return "ctp"
    if _ANNEX_E_LINE.search(text):
        return "annex-e"
    return "fiona" if _FIONA_CSV.search(text) else None


def _json_format(text: str) -> str | None:
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise PolicyError(f"line {error.lineno}: not JSON: {error.msg}") from None
    if isinstance(document, list):
        return _list_format(document)
    values = [value for value in document.values() if isinstance(value, dict)]
    if any("TagForStudy" in value for value in values):
        return "stations"
    if any("AnonymizeTag" in value or "AnonymizeVR" in value for value in values):
        return "studies"
    if document and all(isinstance(value, list) for value in document.values()):
        raise PolicyError("This is a whitelist. Give it with --whitelist beside the spec file that it belongs to.")
    return None


def _list_format(document: list[Any]) -> str | None:
    if any(isinstance(row, dict) and "rules" in row for row in document):
        raise PolicyError("These are classification rules. They belong to the project's `screen` section.")
    rows = [row for row in document if isinstance(row, (list, dict))]
    return "fiona" if rows else None
