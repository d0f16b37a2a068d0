"""`python -m tests.fortnight`: run the two weeks, compare, and say what came of it."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from demo.airflow import AirflowNotReady
from tests.fortnight.compare import compare
from tests.fortnight.driver import Driver, Stuck
from tests.fortnight.found import find_all
from tests.fortnight.scenario import TWISTS, make_scenario
from tests.fortnight.speed import speed
from tests.fortnight.world import World


def main() -> int:
    """Return 0 when every request ended as it should, and all systems agree on it."""
    parser = argparse.ArgumentParser(prog="python -m tests.fortnight", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--requests", type=int, default=60, help="how many")
    parser.add_argument("--seed", type=int, default=1, help="the same seed asks for the same")
    parser.add_argument("--home", type=Path, help="folder of the installation; a new one below /tmp by default")
    parser.add_argument("--at-a-time", type=int, default=24, help="requests that are under way at most")
    parser.add_argument("--minutes", type=float, default=45.0, help="give up after that")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="environment of Airflow")
    parser.add_argument("--calm", action="store_true", help="without outages and restarts")
    parser.add_argument("--only", default="", choices=TWISTS, help="one kind of request only, to measure")
    given = parser.parse_args()
    home = given.home or Path(tempfile.mkdtemp(prefix="fortnight-"))
    world = World(home, lambda text: print(text, flush=True), dict(pair.split("=", 1) for pair in given.set))
    cases = make_scenario(given.requests, given.seed, given.only)
    driver = Driver(world, cases, given.at_a_time, given.minutes * 60, calm=given.calm)
    problems: list[str] = []
    try:
        world.start()
        try:
            driver.run()
        except Stuck as error:
            problems.append(str(error))
        problems += ["the scheduler ended by itself"] * driver.died
        problems += compare(world, cases, find_all(world))
        print(speed(world, driver))
    except AirflowNotReady as error:
        problems.append(str(error))
    finally:
        world.stop()
    for problem in problems:
        print(f"DISAGREEMENT {problem}")
    print(f"{len(cases)} requests, {len(problems)} disagreements; logs in {home}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
