"""One image played on its board's model, in a process of its own: here, or on a worker."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from npubench.core.errors import ConfigError, NpubenchError, ToolError
from npubench.core.tool import run_tool
from npubench.farm.task import Done, Task, WorkerFailure, file_sha256, key_of
from npubench.farm.toolchain import OWN, versions

SEED = 1
GRACE_S = 5.0
IMAGE_FILE = "image"

Seen = dict[str, Any]
"""What ``session.judge`` saw, as JSON values."""


class Limits(BaseModel):
    """Seconds for the boot, and for an image after it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    limit_s: float = Field(gt=0)
    boot_limit_s: float = Field(gt=0)


class Order(BaseModel):
    """The payload. ``suffix`` says the image's form: .bin, .hex or .elf."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    board: str
    suffix: str = Field(pattern=r"^(\.[A-Za-z0-9_]{1,16})?$")
    limits: Limits


def play(path: Path, board_id: str, limits: Limits) -> Seen:
    """Boot an image and ask it. Raises ToolError when the process that plays gives no answer."""
    words = (
        board_id,
        path.absolute(),
        str(SEED),
        str(limits.limit_s),
        str(limits.boot_limit_s),
    )
    result = run_tool(
        (sys.executable, "-P", "-m", "npubench.referee", *words),
        env={"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        timeout_s=limits.limit_s + limits.boot_limit_s + GRACE_S,
        check=False,
    )
    try:
        document = json.loads(result.stdout)
    except ValueError:
        tail = result.stderr.strip().splitlines()[-1:] or ["nothing was said"]
        raise ToolError(
            f"the board model ended with {result.code}: {tail[0]}", code=result.code
        ) from None
    assert isinstance(document, dict)
    return document


def task_of(path: Path, board_id: str, limits: Limits) -> Task:
    """An image as a job for an executor. Raises OSError."""
    order = Order(board=board_id, suffix=path.suffix, limits=limits)
    payload = order.model_dump_json().encode()
    tools = versions((OWN, "unicorn"))
    return Task(
        key=key_of(
            b"referee",
            payload,
            file_sha256(path).encode(),
            *(f"{name}={version}".encode() for name, version in sorted(tools.items())),
        ),
        title=path.name,
        payload=payload,
        files={IMAGE_FILE: path},
        tools=tools,
    )


def play_there(payload: bytes, files: Mapping[str, bytes], cancelled: threading.Event) -> bytes:
    """On the worker: what was seen, as JSON. Raises NpubenchError."""
    del cancelled  # the process that plays is one of run_tool, which is ended when called off
    try:
        order = Order.model_validate_json(payload)
    except ValidationError as error:
        raise ConfigError(
            f"the image's order cannot be read: {error.errors()[0]['msg']}",
            hint="do client and workers run one version of npubench?",
        ) from error
    with tempfile.TemporaryDirectory(prefix="npubench-image-") as name:
        path = Path(name) / f"image{order.suffix}"
        path.write_bytes(files[IMAGE_FILE])
        return json.dumps(play(path, order.board, order.limits)).encode()


def seen_of(done: Done) -> Seen | NpubenchError:
    """What a worker saw, or why it saw nothing."""
    if done.error is not None:
        return done.error
    try:
        document = json.loads(done.body)
    except ValueError:
        document = None
    if not isinstance(document, dict) or "status" not in document:
        return WorkerFailure(f"{done.task.title}: the worker answered something else")
    return document
