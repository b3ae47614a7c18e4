"""The repetitions behind the medians, as ``samples.parquet`` in the run folder.

pyarrow is imported when a run is stored or read, after everything timed is over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from npubench.core.errors import ResultError
from npubench.runs.schema import Number, RunRecord

FILE_NAME = "samples.parquet"
COLUMNS = ("rep", "stage", "unit", "raw_count", "value")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One stage of one repetition. ``raw_count``: the counter's difference as the device sent it,
    None where it was not handed over; ``value``: in ``unit``, the window's cost subtracted."""

    rep: int
    stage: str
    unit: str
    raw_count: int | None
    value: Number


def make_samples(
    record: RunRecord,
    counts: Mapping[str, Sequence[int]],
    raw_counts: Mapping[str, Sequence[int]],
) -> tuple[Sample, ...]:
    """Samples in the unit of the record's stages.

    ``counts`` are net of the window's cost, in instructions or cycles; where the record's stage is
    in microseconds they are divided by the measured clock. Under a modelled time lie instructions.
    """
    hz = None if record.clock is None else record.clock.measured_hz
    samples = []
    for stage, values in counts.items():
        summary = record.stages.get(stage)
        unit: str = "cycles" if summary is None else summary.unit
        if unit == "us_modelled":
            unit = "instructions"
        raw = raw_counts.get(stage, ())
        for rep, net in enumerate(values):
            value: Number = net
            if unit == "us" and hz:
                value = net * 1e6 / hz
            samples.append(
                Sample(
                    rep=rep,
                    stage=stage,
                    unit=unit,
                    value=value,
                    raw_count=raw[rep] if rep < len(raw) else None,
                )
            )
    return tuple(samples)


def write_samples(path: Path, samples: Sequence[Sample]) -> None:
    """Write samples as Parquet; OSError when the disk refuses."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrays = [
        _numbers([sample.rep for sample in samples], pa.int32()),
        _strings([sample.stage for sample in samples]),
        _strings([sample.unit for sample in samples]),
        _numbers([sample.raw_count for sample in samples], pa.int64()),
        _numbers([sample.value for sample in samples], pa.float64()),
    ]
    pq.write_table(pa.Table.from_arrays(arrays, names=list(COLUMNS)), path)


def _numbers(values: Sequence[Number | None], kind: Any) -> Any:
    """An Arrow array from its buffers: ``pyarrow.array`` would import pandas, which takes longer
    than the whole run."""
    import numpy as np
    import pyarrow as pa

    known = np.array([value is not None for value in values], dtype=bool)
    data = np.array([value or 0 for value in values], dtype=kind.to_pandas_dtype())
    valid = np.packbits(known, bitorder="little").tobytes()
    buffers = [pa.py_buffer(valid), pa.py_buffer(data.tobytes())]
    return pa.Array.from_buffers(kind, len(values), buffers)


def _strings(values: Sequence[str]) -> Any:
    """An Arrow array of strings, likewise."""
    import numpy as np
    import pyarrow as pa

    encoded = [value.encode() for value in values]
    offsets = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    buffers = [None, pa.py_buffer(offsets.tobytes()), pa.py_buffer(b"".join(encoded))]
    return pa.Array.from_buffers(pa.string(), len(values), buffers)


def read_samples(folder: Path) -> tuple[Sample, ...]:
    """The samples of a run folder; none when it keeps none. Raises ResultError when unreadable.

    Whole values come back as int: counts are whole and far below 2**53.
    """
    path = folder / FILE_NAME
    if not path.is_file():
        return ()
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        rows = pq.ParquetFile(path).read(columns=list(COLUMNS)).to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise ResultError(f"{path}: samples cannot be read: {error}") from error
    return tuple(
        Sample(
            rep=row["rep"],
            stage=row["stage"],
            unit=row["unit"],
            raw_count=row["raw_count"],
            value=int(row["value"]) if row["value"].is_integer() else row["value"],
        )
        for row in rows
    )
