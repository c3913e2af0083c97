"""What the schedulers of pytest-xdist do with the tests of a worker that died."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from xdist.scheduler import (
    EachScheduling,
    LoadScheduling,
    LoadScopeScheduling,
    WorkStealingScheduling,
)


def take_back(scheduler: Any, node: object, begun: Collection[str]) -> bool:
    """Have a scheduler hand out again what a dead worker had not begun, and nothing else.

    By itself it takes the first test that the worker had not completed for the one that it died
    of, and runs it no more: that is another where the worker died between two tests, or in a second
    run that the scheduler knows nothing of. And those that go by scopes run the right one again.
    What is changed here is what ``remove_node`` of each changes (pytest-xdist 3.8). The worker is
    removed, so that there is nothing left to be blamed when pytest-xdist does so.

    :param begun: node ids of the tests that began.
    :return: whether the scheduler comes with pytest-xdist.
    """
    if node not in scheduler.nodes:  # it has had no tests of it
        return True
    if isinstance(scheduler, LoadScopeScheduling):
        for scope, unit in scheduler.assigned_work[node].items():
            rest = {test: done or test in begun for test, done in unit.items()}
            if not all(rest.values()):
                scheduler.workqueue[scope] = rest
        scheduler.assigned_work[node] = {}
    elif isinstance(scheduler, EachScheduling):
        tests = scheduler.node2collection.get(node, ())
        left = [index for index in scheduler.node2pending[node] if tests[index] not in begun]
        if left:
            scheduler._removed2pending[node] = left
        scheduler.node2pending[node] = []
    elif isinstance(scheduler, (LoadScheduling, WorkStealingScheduling)):
        pending = scheduler.node2pending[node]
        tests = scheduler.collection or ()
        scheduler.pending.extend(index for index in pending if tests[index] not in begun)
        pending.clear()
    else:
        return False
    scheduler.remove_node(node)
    return True
