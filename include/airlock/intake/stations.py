"""Stations: an arriving study goes to the project that an attribute of its images names, as `stations.json` says.

The file is DCMAnonymize's. It names, per StationName, the attribute that holds the name of the study, which is a
project here; a station that is not listed has the rule `default`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field
from pydicom.datadict import tag_for_keyword

from airlock.deid.formats.stations import Stations, read_stations
from airlock.dicomio.header import UnreadableInstance, read_header
from airlock.errors import InvalidRequest, PolicyError, UnknownProject
from airlock.intake.arrived import ArrivedStudy
from airlock.intake.ask import Ask
from airlock.screen.values import CHARACTER_SET, Values

STATION = "StationName"


class StationTable(BaseModel):
    """The part `stations` of the routing table.

    :param file: `stations.json`; a relative path starts at the folder of the routing table.
    :param subject: the research subject id of every study, for projects that name their patients themselves
        (`identity.patient`).
    :param event: event name of the requests.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: Path
    subject: str = Field(min_length=1)
    event: str = ""


def load_stations(table: StationTable, folder: Path) -> Stations:
    """Read the file of stations.

    :param folder: of the routing table.
    :raises PolicyError: when it cannot be read, or is none.
    """
    path = folder / table.file
    try:
        return read_stations(path.read_text("utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyError(f"{path}: it cannot be read ({type(error).__name__}).") from None
    except PolicyError as error:
        raise PolicyError(f"{path}: {error}") from None


def stationed(
    study: ArrivedStudy, stations: Stations, table: StationTable, raw_folder: Path, projects: Iterable[str]
) -> Ask:
    """Return what the stations of a study's images ask for.

    :param projects: names of the projects there are; compared without regard to upper and lower case.
    :raises InvalidRequest: when an image doesn't tell, or they disagree. No other project is taken then.
    :raises UnknownProject: when the name is no project's.
    """
    rules = [*stations.by_name.values(), *([stations.default] if stations.default else [])]
    keywords = {STATION, *(rule.keyword for rule in rules)}
    named = {stations.study(values).casefold() for values in _images(raw_folder / study.study_instance_uid, keywords)}
    if not named:
        raise InvalidRequest("A study has no image that can be read, so its station cannot be asked.")
    if len(named) > 1:
        raise InvalidRequest("The images of a study name different projects. Assign the study by hand.")
    found = [name for name in projects if name.casefold() in named]
    if not found:
        raise UnknownProject("The images of a study name a project that has no policy. Correct the file of stations.")
    return Ask(study.study_instance_uid, found[0], table.subject, table.event)


def _images(folder: Path, keywords: Iterable[str]) -> Iterator[dict[str, str]]:
    """Yield the values of one image of each series."""
    tags = {keyword: tag for keyword in keywords if (tag := tag_for_keyword(keyword)) is not None}
    for series in sorted(path for path in folder.iterdir() if path.is_dir()):
        for file in sorted(path for path in series.rglob("*") if path.is_file()):
            try:
                values = Values(read_header(file, whole=True, also={CHARACTER_SET, *tags.values()}))
            except (UnreadableInstance, OSError):
                continue
            yield {keyword: next(iter(values.texts(tag)), "") for keyword, tag in tags.items()}
            break
