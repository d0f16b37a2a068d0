"""Reads a foreign set of rules of any known format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from airlock.deid.formats.annex_e import read_annex_e
from airlock.deid.formats.ctp import read_ctp
from airlock.deid.formats.dcmanonymize import read_studies
from airlock.deid.formats.fiona import read_fiona
from airlock.deid.formats.model import Conversion
from airlock.deid.formats.recipe import read_recipe
from airlock.errors import PolicyError


@dataclass(frozen=True)
class Beside:
    """What belongs to a set of rules and stands in files of its own.

    :param tables: file of each lookup table of CTP, by key type.
    :param whitelist: allowed values of dicom-anon, by attribute.
    :param study: which of several studies is meant.
    :param project: name of the project that the rules are for.
    """

    tables: Mapping[str, str] = field(default_factory=dict)
    whitelist: Mapping[str, tuple[str, ...]] | None = None
    study: str | None = None
    project: str | None = None


def convert(text: str, format_name: str, beside: Beside | None = None) -> Conversion:
    """Read rules.

    :param format_name: one of :data:`airlock.deid.formats.recognise.FORMATS`.
    :raises PolicyError: when the text is not in this format.
    """
    beside = beside or Beside()
    if format_name in ("ctp", "rsna"):
        return read_ctp(text, beside.tables, "rsna" if format_name == "rsna" else "")
    if format_name == "studies":
        return read_studies(text, beside.study)
    if format_name == "annex-e":
        return read_annex_e(text, beside.whitelist)
    if format_name == "deid":
        return read_recipe(text)
    if format_name == "fiona":
        return read_fiona(text, beside.project)
    raise PolicyError(f"{format_name}: no format of de-identification rules.")
