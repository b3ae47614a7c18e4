"""The words of ``--on``: which executor does the jobs."""

from __future__ import annotations

import re

from npubench.farm.executor import Executor
from npubench.farm.scheduler import parse_scheduler


def executor_of(text: str, *, insecure: bool = False) -> Executor:
    """The executor that ``--on`` names, not entered yet. Raises UsageError."""
    local = re.fullmatch(r"local:(\d{1,4})", text)
    if local is not None:
        from npubench.farm.local import LocalExecutor

        return LocalExecutor(int(local[1]))
    scheduler = parse_scheduler(text)
    from npubench.farm.cluster import ClusterExecutor

    return ClusterExecutor(scheduler, insecure=insecure)
