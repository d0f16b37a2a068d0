"""The report of a verification: one JSON object per output and line, by pseudonymous id, never with a value."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from airlock.verify.found import Problem, verdict

FILE_NAME = "verification.jsonl"
_NAMED_AT_MOST = 5
_ADVICE = {"fail": "It must not leave.", "review": "A person should look: it may be a false alarm."}


def line(instance_id: str, problems: Sequence[Problem], output: str = "") -> str:
    """Return one line of the report.

    :param output: path of the output, where it may be told.
    """
    import json  # noqa: PLC0415 - where no report is asked for, it is not needed

    found = verdict(problems)
    document: dict[str, object] = {"instance": instance_id, "verdict": found}
    if output:
        document["output"] = output
    if problems:
        document["advice"] = _ADVICE[found]
        document["problems"] = [
            {"attribute": p.attribute, "reason": p.reason, **({"weak": True} if p.weak else {})}
            for p in sorted(problems)
        ]
    return json.dumps(document, ensure_ascii=False) + "\n"


def write_report(
    path: str | os.PathLike[str], problems: Mapping[str, Sequence[Problem]], outputs: Mapping[str, str] | None = None
) -> None:
    """Write the report.

    :param problems: by instance; none for those that passed.
    :param outputs: paths by instance, for a report that stays where the outputs are.
    """
    # Importing these takes longer than many a verification, and few write a report.
    from pathlib import Path  # noqa: PLC0415 - as the comment says

    from airlock.workspace import write_atomically  # noqa: PLC0415 - as above

    place = Path(path)
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    lines = (line(name, problems[name], (outputs or {}).get(name, "")) for name in sorted(problems))
    write_atomically(place, "".join(lines).encode("utf-8", "backslashreplace"))


def summary(problems: Mapping[str, Sequence[Problem]]) -> str:
    """Name some instances with what is wrong with them."""
    wrong = {name: found for name, found in sorted(problems.items()) if found}
    return "; ".join(
        f"{name}: " + ", ".join(f"{p.attribute} {p.reason}" for p in sorted(found)[:_NAMED_AT_MOST])
        for name, found in list(wrong.items())[:_NAMED_AT_MOST]
    )
