"""What arrived and is asked for by the routing table or the coupling list becomes requests."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from airlock.errors import AirlockError, NotApproved, UnknownProject
from airlock.identity.keys import KeyRing
from airlock.intake.arrived import arrived_studies
from airlock.intake.ask import Ask, write_request
from airlock.intake.coupling import CouplingList, load_coupling
from airlock.intake.routing import load_routes, routed
from airlock.intake.stations import load_stations, stationed
from airlock.ledger import Asked, Ledger
from airlock.project import ProjectPolicy, load_policies
from airlock.settings import Settings


@dataclass
class Routed:
    """What came of a look at what arrived.

    :param transfers: ids of the transfers that were requested.
    :param known: how many were requested before.
    :param refused: why others were not, each reason with how often; free of patient data.
    """

    transfers: list[str] = field(default_factory=list)
    known: int = 0
    refused: dict[str, int] = field(default_factory=dict)

    @contextmanager
    def noting(self) -> Iterator[None]:
        """Count why something is not requested, and go on with the others."""
        try:
            yield
        except AirlockError as error:
            self.refused[str(error)] = self.refused.get(str(error), 0) + 1


def route_arrived(settings: Settings, ledger: Ledger, keys: KeyRing, *, dry_run: bool = False) -> Routed:
    """Write a request file for every study of the last days that a route or the coupling list asks for.

    Looking again is harmless: what was requested once is not requested again.

    :param dry_run: write nothing.
    :raises PolicyError: when the routing table, the coupling list or a policy cannot be used.
    """
    now = datetime.now(UTC)
    table = load_routes(settings.routing)
    stations = load_stations(table.stations, settings.routing.parent) if table.stations else None
    today = now.astimezone().date()
    coupling = load_coupling(settings.coupling, today, settings.coupling_days) if settings.coupling else CouplingList()
    result, policies = Routed(), load_policies(settings.projects)
    if not table.routes and stations is None and not coupling.by_study and not coupling.by_accession:
        return result
    since = time.time() - timedelta(days=settings.route_days).total_seconds()
    for study in arrived_studies(settings.raw_folder, since, settings.study_idle_seconds):
        doors = dict.fromkeys(routed(study, table.routes), "route") | dict.fromkeys(
            coupling.asks(study), "coupling list"
        )
        if stations is not None and table.stations is not None:
            with result.noting():
                doors[stationed(study, stations, table.stations, settings.raw_folder, policies)] = "station"
        for ask, door in doors.items():
            with result.noting():
                policy = _policy(ask, policies, now)
                transfer_id = (
                    _known(ask, ledger, keys)
                    if dry_run
                    else write_request(ask, policy, ledger, keys, settings, Asked(door))
                )
                if transfer_id is None:
                    result.known += 1
                else:
                    result.transfers.append(transfer_id)
    return result


def _known(ask: Ask, ledger: Ledger, keys: KeyRing) -> str | None:
    transfer_id = ask.request(keys).transfer_id(keys)
    return None if ledger.find(transfer_id) else transfer_id


def _policy(ask: Ask, policies: dict[str, ProjectPolicy], now: datetime) -> ProjectPolicy:
    """Return the policy of a project that may receive studies now.

    :raises NotApproved: when it may not. Nothing is written then: the study is routed when it may.
    """
    if ask.project not in policies:
        raise UnknownProject("The routing table or the coupling list names a project that has no policy.")
    policy = policies[ask.project]
    try:
        policy.check_approved(now.astimezone().date())
    except NotApproved as error:
        raise NotApproved(f"Not routed: {error}") from None
    return policy
