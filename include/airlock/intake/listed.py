"""A list of studies to request: by StudyInstanceUID or by accession number, searched before anything is requested."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from airlock.errors import InvalidRequest
from airlock.identity.keys import KeyRing
from airlock.intake.ask import Ask
from airlock.intake.table import read_table

STUDY = ("study_instance_uid", "cl_studyinstanceuid", "studyinstanceuid")
ACCESSION = ("accession_number", "cl_accessionnumber", "accession", "accessionnumber")
SUBJECT = ("transfer_name", "cl_subjectid", "subject")
EVENT = ("transfer_event_name", "cl_eventname", "event")
INSTANCE = "redcap_repeat_instance"

Find = Callable[[str, str], list[str]]
"""Returns the StudyInstanceUIDs for a StudyInstanceUID or, when that is empty, an accession number."""


@dataclass
class Search:
    """What came of searching a list.

    :param asks: the studies that were found, by the line that asks for them.
    :param not_found: lines whose study is not there.
    :param ambiguous: lines for which several studies are there.
    :param wrong: lines that are no request, with the reason.
    """

    asks: list[tuple[int, Ask]] = field(default_factory=list)
    not_found: list[int] = field(default_factory=list)
    ambiguous: list[int] = field(default_factory=list)
    wrong: dict[int, str] = field(default_factory=dict)

    @property
    def whole(self) -> bool:
        """Whether every line is one study that was found."""
        return not (self.not_found or self.ambiguous or self.wrong)


def search_list(
    path: Path,
    project: str,
    find: Find,
    keys: KeyRing,
    *,
    source: dict[str, str],
    subject: str = "",
    all_: bool = False,
) -> Search:
    """Read a list and search its studies.

    :param project: that they are requested for.
    :param find: searches the raw folder or a PACS.
    :param source: where the requests take the studies from, as in a request; empty when the policy says.
    :param subject: research subject id of lines without one.
    :param all_: an accession number with several studies asks for all of them.
    :raises PolicyError: when the file is no such list.
    """
    table = read_table(path, (), ((*STUDY, *ACCESSION), *(() if subject else (SUBJECT,))))
    search = Search()
    for line, row in table.rows:
        study, accession = _first(row, STUDY), _first(row, ACCESSION)
        given = (project, _first(row, SUBJECT) or subject, _first(row, EVENT), tuple(sorted(source.items())))
        if not study and not accession:
            search.wrong[line] = "neither a StudyInstanceUID nor an accession number"
            continue
        found = find(study, accession)
        if not found:
            search.not_found.append(line)
        elif len(found) > 1 and not all_:
            search.ambiguous.append(line)
        else:
            for uid in found:
                _add(search, line, Ask(uid, *given, _instance(row)), keys)
    return search


def _add(search: Search, line: int, ask: Ask, keys: KeyRing) -> None:
    try:
        ask.request(keys)
    except InvalidRequest as error:
        search.wrong[line] = str(error)
    else:
        search.asks.append((line, ask))


def _instance(row: dict[str, str]) -> int | None:
    text = row.get(INSTANCE, "")
    return int(text) if text.isdecimal() and len(text) < 6 else None


def _first(row: dict[str, str], names: tuple[str, ...]) -> str:
    return next((row[name] for name in names if row.get(name)), "")
