"""The repetitions behind the medians, as ``samples.parquet`` in the run folder.

pyarrow is imported when a run is stored or read, after everything timed is over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

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

    schema = pa.schema(
        [
            ("rep", pa.int32()),
            ("stage", pa.string()),
            ("unit", pa.string()),
            ("raw_count", pa.int64()),
            ("value", pa.float64()),
        ]
    )
    columns = [[getattr(sample, name) for sample in samples] for name in COLUMNS]
    arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    pq.write_table(pa.Table.from_arrays(arrays, schema=schema), path)


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
