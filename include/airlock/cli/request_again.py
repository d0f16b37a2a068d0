"""`airlock request again`: start transfers again that have ended."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime

import click

from airlock.cli import REFUSED
from airlock.errors import RefusedError
from airlock.ledger import Ledger, TransferState, TransferSummary
from airlock.request.again import ask_again
from airlock.settings import load_settings
from airlock.transfer import open_ledger

DATE = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"])


@click.command("again")
@click.argument("transfers", nargs=-1)
@click.option("--project", help="The transfers of this project.")
@click.option("--since", type=DATE, help="Those that were requested at this local time or later.")
@click.option("--until", type=DATE, help="Those that were requested before this local time.")
@click.option(
    "--state", multiple=True, type=click.Choice([s.value for s in TransferState]), help="Only those; repeatable."
)
@click.option("--dry-run", is_flag=True, help="Name them; start nothing.")
@click.pass_context
def again(
    context: click.Context,
    transfers: tuple[str, ...],
    project: str | None,
    since: datetime | None,
    until: datetime | None,
    state: tuple[str, ...],
    dry_run: bool,
) -> None:
    """Do TRANSFERS again from the start, or those that the options choose.

    The intake starts them, oldest first. What is at the research PACS is replaced by the same instances. Running ones
    are left alone: exit status 2.
    """
    if bool(transfers) == bool(project or since or until):
        raise click.UsageError("Name transfers, or choose them with --project, --since, --until.")
    settings = load_settings()
    ledger = open_ledger(settings)
    chosen = list(transfers) or [s.id for s in _chosen(ledger, project, since, until, state)]
    left = 0
    for transfer_id in chosen:
        try:
            if not dry_run:
                ask_again(transfer_id, "asked", ledger, settings, getpass.getuser())
            click.echo(transfer_id)
        except RefusedError as error:
            left += 1
            click.secho(f"{error}", fg="yellow", err=True)
    click.echo(f"{len(chosen) - left} {'would be ' if dry_run else ''}asked for again, {left} left alone.", err=True)
    context.exit(REFUSED if left else 0)


def _chosen(
    ledger: Ledger, project: str | None, since: datetime | None, until: datetime | None, states: tuple[str, ...]
) -> list[TransferSummary]:
    return [
        summary
        for summary in ledger.transfers(since=_aware(since), until=_aware(until))
        if project in (None, summary.project) and (not states or summary.state.value in states)
    ]


def _aware(moment: datetime | None) -> datetime | None:
    return moment.astimezone(UTC) if moment else None
