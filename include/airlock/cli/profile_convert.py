"""`airlock profile convert`: de-identification rules of other tools, as project files."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from airlock.cli import HELD
from airlock.deid.formats.annex_e import read_whitelist
from airlock.deid.formats.convert import Beside, convert
from airlock.deid.formats.ctp_lookup import read_lookup
from airlock.deid.formats.model import Conversion, Fate
from airlock.deid.formats.policy_text import policy_text
from airlock.deid.formats.recognise import FORMATS, read_text, recognise
from airlock.deid.formats.stations import read_stations
from airlock.workspace import write_atomically

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_STYLES = {Fate.UNRESOLVED: "red", Fate.STRICTER: "yellow", Fate.LEFT_OUT: "yellow", Fate.COVERED: "dim"}


@click.command("convert")
@click.argument("source", metavar="IN", type=_FILE)
@click.option("--format", "format_name", type=click.Choice(FORMATS), help="Format of IN; else told by its content.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Project file to write.")
@click.option("--name", help="Name of the project; else that of the file written.")
@click.option("--study", help="Which study of a studies.json is meant.")
@click.option("--lookup", type=_FILE, help="Lookup tables of a CTP script. They hold patient data.")
@click.option("--whitelist", type=_FILE, help="Whitelist of a dicom-anon spec file.")
@click.option("--changed", is_flag=True, help="Show only what is not the same here.")
def convert_profile(
    source: Path,
    format_name: str | None,
    out: Path | None,
    name: str | None,
    study: str | None,
    lookup: Path | None,
    whitelist: Path | None,
    changed: bool,
) -> None:
    """Convert the rules in IN, and print what became of each.

    Exit status 3 when a rule could leak if it were lost and nobody has said yet what it means here; Airlock refuses the
    file that is written then.
    """
    text = read_text(source)
    format_name = format_name or recognise(text)
    if format_name == "stations":
        _show_stations(text)
        return
    beside = Beside(
        tables=_tables(lookup, out) if lookup else {},
        whitelist=read_whitelist(read_text(whitelist)) if whitelist else None,
        study=study,
        project=name or (out.stem if out is not None else None),
    )
    conversion = convert(text, format_name, beside)
    if out is not None:
        _write(conversion, out, name or out.stem)
    _show(conversion, changed)
    sys.exit(HELD if conversion.unresolved else 0)


def _tables(lookup: Path, out: Path | None) -> dict[str, str]:
    """Return the path of the file with the lookup tables by key type, as the project file must name it."""
    path = lookup.absolute()
    if out is not None:
        path = Path(os.path.relpath(path, out.absolute().parent))
    return dict.fromkeys(read_lookup(read_text(lookup)), str(path))


def _write(conversion: Conversion, out: Path, name: str) -> None:
    if not out.absolute().parent.is_dir():
        raise click.UsageError(f"There is no folder for the file {out.name}. Make it first.")
    write_atomically(out, policy_text(conversion, name))


def _show(conversion: Conversion, changed: bool) -> None:
    table = Table("Where", "Attribute", "Rule", "Becomes", "Taken over", "Why", box=None, pad_edge=False)
    for entry in conversion.entries:
        if changed and entry.fate is Fate.SAME and not entry.why:
            continue
        cells = (entry.place, entry.target, entry.source, entry.result)
        fate = Text(entry.fate.value, _STYLES.get(entry.fate, ""))
        table.add_row(*map(Text, cells), fate, Text(entry.why, overflow="fold"))
    console = Console()
    (console if console.is_terminal else Console(width=250)).print(table)
    counts = Counter(entry.fate for entry in conversion.entries)
    told = ", ".join(f"{counts[fate]} {fate.value}" for fate in Fate)
    click.echo(f"{conversion.format}: {len(conversion.rules)} rules; {told}")


def _show_stations(text: str) -> None:
    stations = read_stations(text)
    table = Table("Station", "Study named by", "Split", "Part", box=None, pad_edge=False)
    known: Mapping[str, object] = {**stations.by_name, **({"default": stations.default} if stations.default else {})}
    for station_name in known:
        station = stations.of(station_name) if station_name != "default" else stations.default
        if station is not None:
            table.add_row(Text(station_name), station.keyword, Text(station.split or ""), str(station.index))
    Console().print(table)
    click.echo("These are rules for the intake, not for de-identification: nothing is written.")
