"""`stations.json` of DCMAnonymize: which attribute of a station's images names the study they belong to.

Both spellings are read, `Split`/`SplitIndex` of its documentation and `StudySplit`/`StudySplitIndex` of its program.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydicom.datadict import tag_for_keyword

from airlock.deid.formats.json_text import read_json
from airlock.errors import InvalidRequest, PolicyError

_DEFAULT = "default"
_SPELLINGS = {"Split": "StudySplit", "SplitIndex": "StudySplitIndex"}


@dataclass(frozen=True)
class Station:
    """How a station's images name their study.

    :param keyword: attribute that holds the name.
    :param split: what separates the parts of the value; None when it has none.
    :param index: which part is the name, counted from 0.
    """

    keyword: str
    split: str | None = None
    index: int = 0


@dataclass(frozen=True)
class Stations:
    """The stations of a site by StationName, upper case."""

    by_name: Mapping[str, Station]
    default: Station | None

    def of(self, station_name: str) -> Station:
        """Return a station's rule, or the default.

        :raises InvalidRequest: when the file has neither.
        """
        station = self.by_name.get(station_name.strip().upper(), self.default)
        if station is None:
            raise InvalidRequest("The station of this study is not listed and there is no default. Add it to the file.")
        return station

    def study(self, values: Mapping[str, str]) -> str:
        """Return the name of the study that an instance belongs to.

        :param values: values of the instance by keyword.
        :raises InvalidRequest: when the instance doesn't tell; no other profile is used then.
        """
        station = self.of(values.get("StationName", ""))
        value = values.get(station.keyword, "").strip()
        parts = value.split(station.split) if station.split else [value]
        name = parts[station.index].strip() if -len(parts) <= station.index < len(parts) else ""
        if not name:
            raise InvalidRequest(f"{station.keyword} of an instance doesn't name the study. Assign the study by hand.")
        return name


def read_stations(text: str) -> Stations:
    """Read a file of stations.

    :raises PolicyError: when it is not one.
    """
    document = read_json(text)
    if not isinstance(document, dict):
        raise PolicyError("a file of stations is an object, with a station's name before each rule.")
    stations: dict[str, Station] = {}
    for name, rule in document.items():
        key = name if name == _DEFAULT else name.strip().upper()
        if key in stations:
            raise PolicyError(f"{name}: two stations differ in upper and lower case only. Remove one.")
        stations[key] = _station(name, rule)
    default = stations.pop(_DEFAULT, None)
    return Stations(stations, default)


def _station(name: str, rule: Any) -> Station:
    if not isinstance(rule, dict):
        raise PolicyError(f"{name}: a station's rule is an object with TagForStudy.")
    given = {_canonical(name, key, rule): value for key, value in rule.items()}
    keyword = given.pop("TagForStudy", None)
    split, index = given.pop("StudySplit", None), given.pop("StudySplitIndex", 0)
    if given:
        raise PolicyError(f"{name}: settings that are not known: {', '.join(sorted(given))}.")
    if not isinstance(keyword, str) or tag_for_keyword(keyword) is None:
        raise PolicyError(f"{name}: TagForStudy must be the keyword of an attribute.")
    if (split is not None and (not isinstance(split, str) or not split)) or type(index) is not int:
        raise PolicyError(f"{name}: the split is a text, its index an integer.")
    return Station(keyword, split, index)


def _canonical(name: str, key: str, rule: Mapping[str, Any]) -> str:
    other = _SPELLINGS.get(key)
    if other is not None and other in rule and rule[other] != rule[key]:
        raise PolicyError(f"{name}: {key} and {other} say different things. Remove one.")
    return other or key
