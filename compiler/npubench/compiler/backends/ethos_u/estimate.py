"""What the NPU's timing core expects of each operator of the network.

The timing core knows operations of the command stream; Vela's debug database says from which
operator of the network each came.
"""

from __future__ import annotations

import csv
import io
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from npubench.compiler.backends.ethos_u.output import JobTensors
from npubench.compiler.plan import Estimate
from npubench.core.errors import CompileError
from npubench.npu.ethosu.config import Accelerator
from npubench.npu.ethosu.isa import StreamError
from npubench.npu.ethosu.memory_system import MemorySystem
from npubench.npu.ethosu.operation import BlockOp
from npubench.npu.ethosu.payload import parse_payload
from npubench.npu.ethosu.stream import operations
from npubench.npu.ethosu.timeline import program_time

_TABLE = re.compile(r'<table name="(\w+)">\s*<!\[CDATA\[\n?(.*?)\]\]>', re.DOTALL)
Rows = list[dict[str, str]]


def debug_tables(debug: str) -> dict[str, Rows]:
    """The tables of Vela's debug database, each a list of rows by column name."""
    return {
        match[1]: list(csv.DictReader(io.StringIO(match[2].strip())))
        for match in _TABLE.finditer(debug)
    }


def operators_by_offset(debug: str) -> tuple[dict[int, int], ...]:
    """For each command stream: the network's operator by an operation's offset in the stream.

    Operations that Vela made up without an operator are left out.
    """
    tables = debug_tables(debug)
    try:
        source = {row["id"]: int(row["ext_key"]) for row in tables.get("source", [])}
        optimised = {row["id"]: row["source_id"] for row in tables.get("optimised", [])}
        streams = [row["id"] for row in tables.get("cmdstream", [])]
        found: dict[str, dict[int, int]] = {stream: {} for stream in streams}
        for row in tables.get("queue", []):
            operator = source.get(optimised.get(row["optimised_id"], ""))
            if operator is not None and row["cmdstream_id"] in found:
                found[row["cmdstream_id"]][int(row["offset"])] = operator
    except (KeyError, ValueError, TypeError):
        return ()
    return tuple(found[stream] for stream in streams)


@dataclass(slots=True)
class _Sum:
    cycles: int = 0
    operations: int = 0
    block: tuple[int, ...] = ()
    npu_cycles: int = 0
    port_cycles: list[int] = field(default_factory=lambda: [0, 0])
    port_bytes: list[int] = field(default_factory=lambda: [0, 0])


def job_estimates(
    tensors: JobTensors,
    operators: Mapping[int, int],
    members: Sequence[int],
    accelerator: Accelerator,
    system: MemorySystem,
) -> tuple[Estimate, ...]:
    """Estimates of the operators ``members`` that one job runs.

    Work without an operator of its own counts to the one before it, copies of weights to the one
    that follows. Raises CompileError when the stream cannot be read.
    """
    assert tensors.stream.data is not None
    try:
        payload = parse_payload(tensors.stream.data)
        program = tuple(operations(payload.words))
        time = program_time(program, accelerator, system)
    except StreamError as error:
        raise CompileError(f"Vela's command stream: {error.message}") from error
    blocks = {item.offset_bytes: item.block for item in program if isinstance(item, BlockOp)}
    sums: dict[int, _Sum] = defaultdict(_Sum)
    waiting: list[tuple[int, int]] = []
    owner = members[0]
    for operation, span in zip(time.operations, time.spans, strict=True):
        moved = (
            operation.read_bytes[0] + operation.write_bytes[0],
            operation.read_bytes[1] + operation.write_bytes[1],
        )
        if not operation.npu_cycles:
            waiting.append(moved)
            continue
        named = operators.get(operation.offset_bytes)
        if named is not None and named in members:
            owner = named
        total = sums[owner]
        total.cycles += span
        total.operations += 1
        total.block = total.block or blocks.get(operation.offset_bytes, ())
        total.npu_cycles += operation.npu_cycles
        for port in (0, 1):
            total.port_cycles[port] += operation.port_cycles[port]
            total.port_bytes[port] += moved[port] + sum(item[port] for item in waiting)
        waiting.clear()
    return tuple(
        Estimate(
            op_index=index,
            cycles=total.cycles,
            port_bytes=tuple(total.port_bytes),
            bound_by_memory=max(total.cycles, *total.port_cycles) > total.npu_cycles,
            operations=total.operations,
            block=total.block,
        )
        for index, total in sorted(sums.items())
    )
