"""Which format a mapping store has, and its reader."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from airlock.identity.imports.databases import read_identity_db, read_v18, tables_in
from airlock.identity.imports.pickled import read_v17
from airlock.identity.imports.tables import read_fiona, read_index, read_lookup, read_pairs
from airlock.identity.mappings import Mappings, UnreadableMappings

READERS: dict[str, Callable[[Path], Mappings]] = {
    "dicom-anon": read_identity_db,
    "rsna-index": read_index,
    "rsna-lookup": read_lookup,
    "rsna-v17": read_v17,
    "rsna-v18": read_v18,
    "fiona-mapping": read_fiona,
    "pairs": read_pairs,
}


def format_of(path: Path) -> str:
    """Return the format of a file, from how it begins.

    :raises UnreadableMappings: when it has none of them.
    """
    with path.open("rb") as stream:
        begin = stream.read(4096)
    if begin.startswith(b"SQLite format 3\0"):
        return "rsna-v18" if "phi" in tables_in(path) else "dicom-anon"
    if begin.startswith(b"PK\x03\x04"):
        return "rsna-index"
    if begin[:1] == b"\x80":
        return "rsna-v17"
    text = begin.decode("utf-8-sig", "replace").lstrip()
    if text.startswith("{"):
        return "fiona-mapping"
    heading = text.splitlines()[0] if text else ""
    if heading.replace(" ", "") == "id_old,id_new":
        return "pairs"
    if "PHI-PatientID" in heading:
        return "rsna-lookup"
    raise UnreadableMappings(f"The file has none of the formats that can be imported: {', '.join(READERS)}.")


def read_mappings(path: Path, kind: str | None = None) -> Mappings:
    """Read a mapping store.

    :param kind: one of :data:`READERS`; found out from the file when None.
    :raises UnreadableMappings: when it cannot be read.
    """
    return READERS[kind or format_of(path)](path)
