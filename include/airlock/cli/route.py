"""`airlock route`: request what arrived and belongs to a project by itself."""

from __future__ import annotations

import click

from airlock.identity.keys import KeyRing
from airlock.intake.route import route_arrived
from airlock.settings import load_settings
from airlock.transfer import open_ledger


@click.command("route")
@click.option("--dry-run", is_flag=True, help="Show what would be requested; write nothing.")
def command(dry_run: bool) -> None:
    """Write request files for studies in the raw folder that a route or the coupling list asks for.

    The DAG `arrivals` does the same, as often as AIRLOCK_ARRIVALS says. See docs/doors.md for the two tables.
    """
    settings = load_settings()
    result = route_arrived(settings, open_ledger(settings), KeyRing.load(settings.key_path), dry_run=dry_run)
    for transfer_id in result.transfers:
        click.echo(f"{'Would request' if dry_run else 'Requested'} {transfer_id}.")
    click.echo(f"{len(result.transfers)} new, {result.known} known before, {sum(result.refused.values())} not routed.")
    for reason, count in result.refused.items():
        click.secho(f"{count} x {reason}", fg="yellow")
