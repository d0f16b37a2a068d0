"""Run the scenarios whose names begin with one of the arguments, all without any; print a table."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.faults import crowd, machine, many, pulling, sending, service
from tests.faults.outcome import HEAD, Outcome

SCENARIOS = {
    **pulling.SCENARIOS,
    **sending.SCENARIOS,
    **crowd.SCENARIOS,
    **many.SCENARIOS,
    **machine.SCENARIOS,
    **service.SCENARIOS,
}


def run(name: str) -> Outcome:
    """Run one scenario in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="airlock-fault-", ignore_cleanup_errors=True) as folder:
        return SCENARIOS[name](Path(folder))


def main() -> None:
    wanted = tuple(sys.argv[1:]) or ("",)
    bad = []
    print(HEAD)
    for name in SCENARIOS:
        if name.startswith(wanted):
            outcome = run(name)
            print(outcome.line(name), flush=True)
            if not outcome.good:
                bad.append(name)
    sys.exit(f"not good: {', '.join(bad)}" if bad else 0)


if __name__ == "__main__":
    main()
