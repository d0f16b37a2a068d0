"""`airlock identity`: take over, hand out and withdraw who became whom; rotate the key."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from airlock.identity.access import authorise
from airlock.identity.exports import KINDS, export
from airlock.identity.forget import forget
from airlock.identity.importer import import_mappings
from airlock.identity.imports.formats import READERS, read_mappings
from airlock.identity.keys import KeyRing
from airlock.identity.rotation import rotate_key
from airlock.identity.store import IdentityStore, open_store
from airlock.ledger.acts import Acts
from airlock.project import find_policy
from airlock.settings import Settings, load_settings
from airlock.transfer import open_ledger

_PROJECT = click.option("--project", required=True, help="Name of a project that has a policy.")


@click.group("identity")
def command() -> None:
    """Take over, hand out and withdraw who became whom; rotate the key.

    Only the accounts that AIRLOCK_IDENTITY_USERS names may. The ledger notes who did what, when, and how many rows it
    was about. Nothing here prints a value.
    """


def _store(settings: Settings) -> IdentityStore:
    return open_store(settings, KeyRing.load(settings.key_path))


def _acts(settings: Settings) -> Acts:
    open_ledger(settings)
    return Acts(settings.ledger)


@command.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_PROJECT
@click.option("--format", "kind", type=click.Choice(list(READERS)), help="Found out from the file when not given.")
@click.option("--dry-run", is_flag=True, help="Say what would be added, and keep nothing.")
def import_(file: Path, project: str, kind: str | None, dry_run: bool) -> None:
    """Add the patients, studies, accession numbers and UIDs of an earlier system to a project, or none of them."""
    settings = load_settings()
    actor, policy = authorise(settings), find_policy(settings.projects, project)
    with _acts(settings).doing(actor, "identity import", project) as detail:
        keys = KeyRing.load(settings.key_path)
        mappings = read_mappings(file, kind)
        found = import_mappings(open_store(settings, keys), keys, policy, mappings, dry_run=dry_run)
        counts = {name: value for name, value in asdict(found).items() if isinstance(value, int)}
        detail.update(counts, format=mappings.source, dry_run=dry_run)
    click.echo(f"{mappings.source}: " + ", ".join(f"{count} new {name}" for name, count in counts.items()))
    for note, count in found.notes.items():
        click.echo(f"  {count} {note}")


@command.command("export")
@click.argument("target", type=click.Path(path_type=Path))
@_PROJECT
@click.option("--kind", type=click.Choice(KINDS), default="lookup", show_default=True)
@click.option("--subject", default="", help="Of this research subject only.")
def export_(target: Path, project: str, kind: str, subject: str) -> None:
    """Write a table to the file TARGET, or under the usual name into the folder TARGET.

    lookup: the RSNA anonymizer's patient lookup table; uid-map and patid-map: id_old,id_new as MIDI-B scores them.
    """
    settings = load_settings()
    actor, policy = authorise(settings), find_policy(settings.projects, project)
    store = _store(settings)
    if target.is_dir():
        target /= _usual_name(store, kind, policy.identity.site, project)
    with _acts(settings).doing(actor, "identity export", project) as detail:
        rows = export(store, project, kind, target, subject)
        detail.update(table=kind, rows=rows, of_one_subject=bool(subject))
    click.echo(f"{rows} rows")


def _usual_name(store: IdentityStore, kind: str, site: str, project: str) -> str:
    if kind != "lookup":
        return {"uid-map": "uid_mapping.csv", "patid-map": "patid_mapping.csv"}[kind]
    rows = store.counts().get(project, {}).get("studies", 0)
    name = "_".join(part for part in (site, project, "PHI", str(rows)) if part)
    return name.replace("/", "-") + ".csv"


@command.command("rotate-key")
@click.option("--yes", is_flag=True, help="Do not ask.")
def rotate(yes: bool) -> None:
    """Add a generation to the deployment key. Patients that are known keep their identities.

    Back up the key file afterwards, in a place apart from the store: neither is of use without the other.
    """
    settings = load_settings()
    actor = authorise(settings)
    if not yes:
        click.confirm("Rotate the deployment key? Patients that are known keep their identities", abort=True)
    with _acts(settings).doing(actor, "key rotation") as detail:
        number = rotate_key(settings)
        detail["generation"] = number
    click.echo(f"The key has {number} generations. Back up {settings.key_path} now.")


@command.command()
@click.option("--counts", "what", flag_value="counts", default=True, help="Rows per project (the default).")
@click.option("--keys", "what", flag_value="keys", help="Generations of the key, and how many patients each has.")
@click.option("--acts", "what", flag_value="acts", help="What was done with these commands, by whom.")
def show(what: str) -> None:
    """Show counts, as JSON. There are no values in it."""
    settings = load_settings()
    if what == "acts":
        acts = _acts(settings).all()
        document: object = [{**asdict(act), "at": act.at.isoformat()} for act in acts]
    elif what == "keys":
        rows = _store(settings).generations()
        document = [{"generation": n, "since": at.isoformat(), "patients": count} for n, at, count in rows]
    else:
        document = _store(settings).counts()
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))


@command.command("forget")
@_PROJECT
@click.option("--subject", default="", help="Research subject id. When not given, the PatientID is asked for.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def forget_(project: str, subject: str, yes: bool) -> None:
    """Withdraw a patient: its row, and those of its studies, accession numbers and UIDs.

    What was sent already stays where it is. A later transfer makes the patient known anew; with the same key, its
    dates and UIDs are the same again.
    """
    settings = load_settings()
    actor = authorise(settings)
    find_policy(settings.projects, project)
    # Arguments are seen by other users of the machine; what is typed is not.
    patient_id = "" if subject else click.prompt("PatientID", hide_input=True)
    if not yes:
        click.confirm("Withdraw this patient from the identity store?", abort=True)
    with _acts(settings).doing(actor, "identity withdrawal", project) as detail:
        counts = forget(_store(settings), project, patient_id, subject)
        detail.update(counts)
    click.echo(", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items()))
