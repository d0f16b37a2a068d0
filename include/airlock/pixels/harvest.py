"""What headers know of the patient, to be looked for in pictures. It stays in memory."""

from __future__ import annotations

from pathlib import Path

from pydicom import dcmread

from airlock.pixels.words import known_words


def header_words(path: Path) -> frozenset[str]:
    """Return the plain words of a file's identifiers; none when it cannot be parsed, which its examination tells."""
    try:
        return known_words(dcmread(path, stop_before_pixels=True))
    except Exception:  # noqa: BLE001 - a hostile file makes the parser raise almost anything
        return frozenset()
