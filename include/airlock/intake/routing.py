"""Routing: which arriving studies go to which project by themselves.

The table has FIONA's rule. A route fires when (the addressed AE title matches OR the sending one does) AND (PatientID
matches its expression OR PatientName does); what matched, the ID before the name, becomes the research subject id.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from airlock.errors import PolicyError
from airlock.intake.arrived import ArrivedStudy
from airlock.intake.ask import Ask
from airlock.intake.stations import StationTable


class Route(BaseModel):
    """One row of the table.

    AE titles are compared as they are, expressions with the whole value: what only happens to begin like a research id
    is not one.

    :param called: AE title that the sender addressed (FIONA's `routing_incoming_aetitle`).
    :param calling: AE title of the sender (`routing_sending_aetitle`).
    :param patient_id: regular expression (`routing_allowed_patientid`).
    :param patient_name: regular expression (`routing_allowed_patientname`).
    :param subject: the research subject id of every study; for projects that name their patients themselves
        (`identity.patient`). Then the expressions may be left out.
    :param event: event name of the requests.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    project: str = Field(min_length=1)
    active: bool = True
    called: str = ""
    calling: str = ""
    patient_id: str = ""
    patient_name: str = ""
    subject: str = ""
    event: str = ""

    @field_validator("patient_id", "patient_name")
    @classmethod
    def _is_expression(cls, text: str) -> str:
        try:
            re.compile(text)
        except re.error as error:
            raise ValueError(f"not a regular expression: {error.msg}") from None
        return text

    @model_validator(mode="after")
    def _is_a_condition(self) -> Route:
        if not self.called and not self.calling:
            raise ValueError("a route names an AE title: called, calling or both")
        if not (self.patient_id or self.patient_name or self.subject):
            raise ValueError("a route says whose studies it is for: patient_id, patient_name, or a fixed subject")
        return self

    def subject_of(self, study: ArrivedStudy) -> str | None:
        """Return the research subject id of a study that this route is for; None when it is not for it.

        A study whose series disagree on the patient is nobody's.
        """
        if not self.active or not any(self._came_by(*connection) for connection in study.connections):
            return None
        if len(study.patient_ids) > 1 or len(study.patient_names) > 1:
            return None
        found = _matching(self.patient_id, study.patient_ids) or _matching(self.patient_name, study.patient_names)
        wanted = self.patient_id or self.patient_name
        return (self.subject or found) if found or not wanted else None

    def _came_by(self, calling: str, called: str) -> bool:
        return bool((self.called and called == self.called) or (self.calling and calling == self.calling))


class RoutingTable(BaseModel):
    """The file `config/routing.yaml`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    routes: tuple[Route, ...] = ()
    stations: StationTable | None = None


def load_routes(path: Path) -> RoutingTable:
    """Read the table; there are no routes when there is no file.

    :raises PolicyError: naming every problem.
    """
    try:
        content: Any = yaml.safe_load(path.read_text("utf-8")) or {}
        return RoutingTable.model_validate(content)
    except FileNotFoundError:
        return RoutingTable()
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise PolicyError(f"{path}: {problems}") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise PolicyError(f"{where}: it cannot be read as YAML. See docs/doors.md for what it looks like.") from None


def routed(study: ArrivedStudy, routes: Iterable[Route]) -> list[Ask]:
    """Return what the routes ask for when a study arrives: every route that fires, each thing once."""
    asks = []
    for route in routes:
        subject = route.subject_of(study)
        if subject is not None:
            asks.append(Ask(study.study_instance_uid, route.project, subject, route.event))
    return list(dict.fromkeys(asks))


def _matching(pattern: str, values: frozenset[str]) -> str:
    return next((value for value in values if pattern and re.fullmatch(pattern, value)), "")
