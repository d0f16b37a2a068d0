"""The coupling list: which study belongs to which subject, known before the study arrives.

FIONA's *CouplingList* as CSV: `cl_accessionnumber` or `cl_studyinstanceuid`, `cl_projectname`, `cl_subjectid`,
`cl_eventname` and `cl_date`, the day of the entry. An entry is used for some days only. One study may have several
entries, and one entry several projects, with `;` between them.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path

from airlock.intake.arrived import ArrivedStudy
from airlock.intake.ask import Ask
from airlock.intake.table import read_table

STUDY, ACCESSION = "cl_studyinstanceuid", "cl_accessionnumber"
PROJECT, SUBJECT, EVENT, DATE = "cl_projectname", "cl_subjectid", "cl_eventname", "cl_date"


@dataclass(frozen=True)
class CouplingList:
    """Entries that may be used.

    :param expired: how many entries are too old.
    :param unusable: line numbers of entries that are not whole, or have no date: they would never expire.
    """

    by_study: dict[str, list[tuple[str, str, str]]] = field(default_factory=dict, repr=False)
    by_accession: dict[str, list[tuple[str, str, str]]] = field(default_factory=dict, repr=False)
    expired: int = 0
    unusable: tuple[int, ...] = ()

    def asks(self, study: ArrivedStudy) -> list[Ask]:
        """Return what the list asks for when a study arrives.

        A study whose series have different accession numbers is found by its UID only.
        """
        found = list(self.by_study.get(study.study_instance_uid, ()))
        if len(study.accession_numbers) == 1:
            found += self.by_accession.get(next(iter(study.accession_numbers)), ())
        return [Ask(study.study_instance_uid, *entry) for entry in dict.fromkeys(found)]


def load_coupling(path: Path, today: date, days: int) -> CouplingList:
    """Read the list; it is empty when there is no file.

    :param days: how long an entry is used, the day of the entry not counted.
    :raises PolicyError: when it is no such table.
    """
    if not path.exists():
        return CouplingList()
    table = read_table(path, (PROJECT, SUBJECT, DATE), ((STUDY, ACCESSION),))
    by_study: defaultdict[str, list[tuple[str, str, str]]] = defaultdict(list)
    by_accession: defaultdict[str, list[tuple[str, str, str]]] = defaultdict(list)
    expired, unusable = 0, []
    for line, row in table.rows:
        entered = _day(row.get(DATE, ""))
        if entered is None or not _whole(row):
            unusable.append(line)
        elif today - entered > timedelta(days=days):
            expired += 1
        else:
            entries = [(name, row[SUBJECT], row.get(EVENT, "")) for name in _projects(row)]
            if row.get(STUDY):
                by_study[row[STUDY]] += entries
            else:
                by_accession[row[ACCESSION]] += entries
    return CouplingList(dict(by_study), dict(by_accession), expired, tuple(unusable))


def _whole(row: dict[str, str]) -> bool:
    return bool((row.get(STUDY) or row.get(ACCESSION)) and _projects(row) and row.get(SUBJECT))


def _projects(row: dict[str, str]) -> list[str]:
    return [name.strip() for name in row.get(PROJECT, "").split(";") if name.strip()]


def _day(text: str) -> date | None:
    try:
        return datetime.fromisoformat(text).date()
    except ValueError:
        return None
