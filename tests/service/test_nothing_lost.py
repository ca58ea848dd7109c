"""Nothing that was answered is lost, and nothing is stored twice: the set test.

Clients register people and repeat what was not answered, while the database is killed and started
again, its connections are ended by the server, and cut on the way: before a statement arrives,
after it was committed and before that is answered, in the middle of the answer. In the end the
table is compared with every answer. `make test-soak` runs it in its full size.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.service.crowd import Crowd
from tests.service.proxy import Cut, run_proxy
from tests.service.server import run_server, task_environ

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Aws
    from tests.service.mariadb import MariaDb

pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("service-under-load")]

CLIENTS = 16
RECOVERY_SECONDS = 5
CUT_CHANCE = 0.03
SEED = 20261127


@dataclass(frozen=True)
class Size:
    """How many people are registered, and how often the database is killed meanwhile."""

    people_each: int
    kills: int

    @property
    def people(self) -> int:
        return CLIENTS * self.people_each


SLICE = Size(people_each=125, kills=2)
WHOLE = Size(people_each=1250, kills=5)


@pytest.mark.parametrize(
    "size",
    [
        pytest.param(SLICE, id="2000"),
        pytest.param(WHOLE, id="20000", marks=[pytest.mark.soak, pytest.mark.timeout(1800)]),
    ],
)
def test_every_answered_registration_is_stored_exactly_once(
    mariadb: MariaDb,
    aws: Aws,
    tmp_path: Path,
    size: Size,
    record_property: Callable[[str, object], None],
) -> None:
    with run_proxy(mariadb.port) as proxy:
        environ = {**task_environ(aws, proxy.port), "DB_CA_PEM": mariadb.authority}
        with run_server(environ, tmp_path) as server:
            processes = server.processes()
            started = time.monotonic()
            proxy.cut_at_random(CUT_CHANCE, SEED)
            with Crowd(server.port, clients=CLIENTS, people_each=size.people_each) as crowd:
                recoveries = disturb(mariadb, crowd, size)
                crowd.join(900)
            took = time.monotonic() - started
            assert server.processes() >= processes  # none of them ended
            assert server.health().status_code == 200

    rows = [line.split("\t") for line in mariadb.sql("SELECT email, id FROM users").splitlines()]
    stored = dict(rows)
    assert len(rows) == len(stored) == len({identity for _, identity in rows}) == size.people
    answered = [answer for answer in crowd.answers if answer.status in {200, 201}]
    assert [answer for answer in answered if stored.get(answer.email) != answer.identity] == []
    assert {answer.email for answer in answered} == set(stored)
    created = Counter(answer.email for answer in answered if answer.status == 201)
    assert max(created.values()) == 1
    # What else was answered says that it may be tried again, and nothing else.
    statuses = crowd.statuses()
    assert set(statuses) <= {200, 201, 503}
    # All that this is about did happen.
    assert len(recoveries) == size.kills
    assert set(proxy.cuts) == set(Cut)
    assert statuses[503] > 0
    assert max(recoveries) < RECOVERY_SECONDS
    slowest = max(answer.seconds for answer in crowd.answers)
    assert slowest < 10
    record_property(
        "figures",
        f"{len(rows)} people in {took:.0f} s, {size.kills} kills, answers {dict(statuses)}, "
        f"cuts { ({cut.name: count for cut, count in proxy.cuts.items()}) }, all clients served "
        f"{[round(seconds, 1) for seconds in recoveries]} s after each return, "
        f"slowest answer {slowest:.1f} s",
    )


def disturb(mariadb: MariaDb, crowd: Crowd, size: Size) -> list[float]:
    """Kill the database again and again, at even distances, and end its connections in between.

    Gives for each kill the seconds from the database's return until all clients were served.
    """
    chances = random.Random(SEED)  # noqa: S311 - no secret
    step = size.people // (2 * size.kills + 1)
    returns = []
    for kill in range(size.kills):
        crowd.wait_for((2 * kill + 1) * step, 300)
        mariadb.kill()
        time.sleep(chances.uniform(0.5, 2))
        mariadb.start()
        returns.append(time.monotonic())
        crowd.wait_for((2 * kill + 2) * step, 300)
        mariadb.cut_connections()
    crowd.join(900)
    return [crowd.all_served_after(moment) for moment in returns]
