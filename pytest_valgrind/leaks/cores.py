"""How many cores this process may use."""

from __future__ import annotations

import os
from pathlib import Path

#: Of a container's limit of processor time, in cgroup v2.
_CPU_LIMIT = Path("/sys/fs/cgroup/cpu.max")


def cores() -> float:
    """Return how many cores this process may use.

    By its affinity and by the limit of its container (cgroup v2's cpu.max).
    """
    try:
        quota, period = _CPU_LIMIT.read_text().split()
        limit = float("inf") if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError):
        limit = float("inf")
    return min(len(os.sched_getaffinity(0)), limit)
