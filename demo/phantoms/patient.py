"""Invented patients, and UIDs that are always the same."""

from __future__ import annotations

import random
import uuid
from dataclasses import dataclass, replace

from pydicom.uid import UID


def invent_uid(*parts: object) -> UID:
    """Return a UID that is always the same for the same parts (PS3.5 section B.2, from a UUID)."""
    return UID(f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, '/'.join(map(str, parts))).int}")


@dataclass(frozen=True)
class Patient:
    """An invented patient and an invented study, with everything that must not leave.

    Dates are `YYYYMMDD`, times `HHMMSS`.
    """

    name: str = "Fjeldstad^Ingrid Marie"
    id: str = "PX-4711-0815"
    birth_date: str = "19610312"
    sex: str = "F"
    age: str = "065Y"
    address: str = "Storgata 17, 5020 Bergen"
    phone: str = "+47 55 97 11 22"
    accession: str = "ACC26110042"
    study_id: str = "ST-9921"
    study_date: str = "20260417"
    study_time: str = "101530"
    study_description: str = "Kontroll Ingrid Fjeldstad"
    referring_physician: str = "Haugland^Torbjorn"
    operator: str = "Lindqvist^Sara"
    institution: str = "Solvik Sykehus"
    station: str = "SOLVIK-ROOM7"
    study_uid: str = invent_uid("study", 0)

    @classmethod
    def invent(cls, seed: int) -> Patient:
        """Return another patient for another seed."""
        dice = random.Random(seed)  # noqa: S311 - repeatable, not secret
        family = dice.choice(["Osterhaug", "Brekkemoen", "Vindheimsdal", "Sandvoll", "Tveitnes", "Kvalheimsvik"])
        given = dice.choice(["Astrid", "Sigurd", "Ragnhild", "Eivind", "Solveig", "Halvard"])
        number = dice.randrange(1000, 10000)
        return replace(
            cls(),
            name=f"{family}^{given}",
            id=f"PX-{number}-{seed:04d}",
            birth_date=f"19{dice.randrange(30, 99)}{dice.randrange(1, 13):02d}{dice.randrange(1, 29):02d}",
            accession=f"ACC{number}{seed:05d}",
            study_id=f"ST-{number}",
            study_description=f"Kontroll {given} {family}",
            study_uid=invent_uid("study", seed),
        )

    @property
    def lines(self) -> tuple[str, ...]:
        """What a scanner writes into its pictures."""
        family, given = self.name.split("^")
        y, m, d = self.birth_date[:4], self.birth_date[4:6], self.birth_date[6:]
        return (f"{family.upper()}, {given}", f"ID {self.id}", f"{d}.{m}.{y}")

    def identifiers(self) -> list[str]:
        """Return every value that must be found nowhere in an output."""
        given = {k: v for k, v in vars(self).items() if k not in ("sex", "age", "study_time")}
        return [*map(str, given.values()), *self.name.split("^"), *self.referring_physician.split("^")]
