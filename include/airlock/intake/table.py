"""Tables that people upload: CSV, with a comma, semicolon or tab between columns, and a line of column names."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from airlock.errors import PolicyError

MAX_BYTES = 64 << 20


@dataclass(frozen=True, repr=False)
class Table:
    """Rows by line number, each by column name in lower case, blanks removed. Its repr shows none of them."""

    rows: list[tuple[int, dict[str, str]]]


def read_table(path: Path, required: Sequence[str], one_of: Sequence[Sequence[str]] = ()) -> Table:
    """Read a table. Lines without any value are left out.

    :param required: columns that must be there.
    :param one_of: groups of columns; of each group at least one must be there.
    :raises PolicyError: naming the file and what is wrong, never a value.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise PolicyError(f"{path}: larger than 64 MiB. Split it.")
        text = path.read_text("utf-8-sig")
        reader = csv.reader(text.splitlines(), delimiter=_delimiter(text), strict=True)
        names = [name.strip().lower() for name in next(reader, [])]
        _check_names(path, names, required, one_of)
        rows = []
        for values in reader:
            if len(values) > len(names):
                raise PolicyError(f"{path}:{reader.line_num}: more values than columns. Quote what has separators.")
            row = {name: value.strip() for name, value in zip(names, values, strict=False)}
            if any(row.values()):
                rows.append((reader.line_num, row))
    except UnicodeDecodeError:
        raise PolicyError(f"{path}: not UTF-8 text. Save it as CSV UTF-8.") from None
    except OSError as error:
        raise PolicyError(f"{path}: {error.strerror}") from None
    except csv.Error:
        raise PolicyError(f"{path}:{reader.line_num}: not CSV; perhaps a quote is not closed.") from None
    return Table(rows)


def _delimiter(text: str) -> str:
    head = text.partition("\n")[0]
    return max(",;\t", key=head.count)


def _check_names(path: Path, names: list[str], required: Sequence[str], one_of: Sequence[Sequence[str]]) -> None:
    if missing := [name for name in required if name not in names]:
        raise PolicyError(f"{path}:1: no column {', '.join(missing)}. The first line holds the names of the columns.")
    for group in one_of:
        if not any(name in names for name in group):
            raise PolicyError(f"{path}:1: no column {' or '.join(group)}.")
    if len(set(names)) != len(names):
        raise PolicyError(f"{path}:1: two columns have the same name.")
