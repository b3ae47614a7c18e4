"""A capture on disk: Parquet parts that are whole one by one, and two JSON files.

``source.json`` says what was captured and how, ``part-000000.parquet`` and so on hold the samples,
``loss.json`` closes the capture. A part appears under its name only when it is complete, so that a
process that is killed leaves every finished part readable.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from npubench.core.errors import ResultError, StorageError
from npubench.power.source.accuracy import Accuracy
from npubench.power.source.interface import Block, Identity, LossReport, Traits

SOURCE_FILE, LOSS_FILE = "source.json", "loss.json"
PART_SAMPLES = 1 << 19
PART_SECONDS = 1.0
REQUIRED = frozenset({"current_ua", "markers", "range", "flags"})


class PartsWriter:
    """Writes a capture into ``folder``; memory stays at one part, however long it is."""

    def __init__(self, folder: Path, *, identity: Identity, traits: Traits) -> None:
        self.folder = folder
        self._identity = identity
        self._traits = traits
        self._blocks: list[Block] = []
        self._held = 0
        self._parts = 0
        self.samples = 0
        limit = int(traits.rate_hz * PART_SECONDS)
        self._limit = max(1, min(PART_SAMPLES, limit))

    def __enter__(self) -> Self:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if any(self.folder.glob("part-*.parquet")):
                raise StorageError(
                    f"{self.folder} holds a capture already", hint="choose a new folder"
                )
            document = {"identity": asdict(self._identity), "traits": _traits_json(self._traits)}
            _write_whole(self.folder / SOURCE_FILE, json.dumps(document, indent=2) + "\n")
        except OSError as error:
            raise _storage(self.folder, error) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None or not isinstance(error, StorageError):
            self.flush()

    def add(self, block: Block) -> None:
        """Take a block; writes a part when enough has come."""
        self._blocks.append(block)
        self._held += len(block)
        self.samples += len(block)
        if self._held >= self._limit:
            self.flush()

    def flush(self) -> None:
        """Write what is held as a part."""
        if not self._held:
            return
        import pyarrow as pa
        import pyarrow.parquet as pq

        blocks, self._blocks, self._held = self._blocks, [], 0
        columns = {
            "current_ua": np.concatenate([block.current_ua for block in blocks]),
            "markers": np.concatenate([block.markers for block in blocks]),
            "range": np.concatenate([block.ranges for block in blocks]),
            "flags": np.concatenate([block.flags for block in blocks]),
        }
        if all(block.voltage_mv is not None for block in blocks):
            columns["voltage_mv"] = np.concatenate(
                [block.voltage_mv for block in blocks if block.voltage_mv is not None]
            )
        arrays = [_arrow(values) for values in columns.values()]
        table = pa.Table.from_arrays(
            arrays, names=list(columns), metadata={"first": str(blocks[0].first)}
        )
        path = self.folder / f"part-{self._parts:06d}.parquet"
        partial = path.with_suffix(".partial")
        try:
            pq.write_table(
                table,
                partial,
                compression="zstd",
                compression_level=1,
                use_dictionary=["markers", "range", "flags"],
                write_statistics=False,
            )
            os.replace(partial, path)  # noqa: PTH105
        except OSError as error:
            raise _storage(path, error) from error
        self._parts += 1

    def finish(self, loss: LossReport) -> None:
        """Write the last part and close the capture."""
        self.flush()
        try:
            _write_whole(self.folder / LOSS_FILE, json.dumps(asdict(loss), indent=2) + "\n")
        except OSError as error:
            raise _storage(self.folder, error) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """A stored capture. ``loss`` is None when the process that wrote it was killed."""

    folder: Path
    identity: Identity
    traits: Traits
    loss: LossReport | None
    parts: tuple[Path, ...]

    def count(self) -> int:
        """How many samples it holds, from the parts' footers alone."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        total = 0
        for path in self.parts:
            try:
                total += int(pq.read_metadata(path).num_rows)
            except (OSError, ValueError, pa.ArrowException) as error:
                raise ResultError(f"{path} cannot be read: {error}") from error
        return total

    def blocks(self) -> Iterator[Block]:
        """Its samples, a part at a time."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        first = 0
        for path in self.parts:
            try:
                with pq.ParquetFile(path) as file:
                    table = file.read()
                metadata = table.schema.metadata or {}
                first = int(metadata.get(b"first", first))
                columns = {name: _numpy(table.column(name)) for name in table.column_names}
                missing = REQUIRED - columns.keys()
                if missing:
                    raise ResultError(f"{path} has no column {', '.join(sorted(missing))}")
            except (OSError, ValueError, pa.ArrowException) as error:
                raise ResultError(f"{path} cannot be read: {error}") from error
            block = Block(
                first=first,
                current_ua=columns["current_ua"],
                markers=columns["markers"],
                ranges=columns["range"],
                flags=columns["flags"],
                voltage_mv=columns.get("voltage_mv"),
            )
            first += len(block)
            yield block


def read_capture(folder: Path) -> Capture:
    """Open a capture. Raises ResultError when there is none."""
    try:
        document = json.loads((folder / SOURCE_FILE).read_text(encoding="utf-8"))
        traits = dict(document["traits"])
        traits["accuracy"] = Accuracy.model_validate(traits["accuracy"])
        identity = Identity(**document["identity"])
        loss_path = folder / LOSS_FILE
        loss = None
        if loss_path.exists():
            fields: dict[str, Any] = json.loads(loss_path.read_text(encoding="utf-8"))
            fields["notes"] = tuple(fields["notes"])
            loss = LossReport(**fields)
        return Capture(
            folder=folder,
            identity=identity,
            traits=Traits(**traits),
            loss=loss,
            parts=tuple(sorted(folder.glob("part-*.parquet"))),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ResultError(
            f"{folder} holds no capture: {error}",
            hint="a capture has a source.json; npubench power capture makes one",
        ) from error


def _arrow(values: NDArray[Any]) -> Any:
    """An Arrow array from its buffer: ``pyarrow.array`` would import pandas, which takes longer
    than a short run."""
    import pyarrow as pa

    data = pa.py_buffer(np.ascontiguousarray(values))
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values), [None, data])


def _numpy(column: Any) -> NDArray[Any]:
    """A column without nulls from its buffers; ``to_numpy`` would import pandas, likewise."""
    if column.null_count:
        raise ValueError("a column has values that are missing")
    dtype = np.dtype(column.type.to_pandas_dtype())
    chunks = [
        np.frombuffer(chunk.buffers()[1], dtype, len(chunk), chunk.offset * dtype.itemsize)
        for chunk in column.chunks
        if len(chunk)
    ]
    if len(chunks) == 1:
        return chunks[0]
    return np.concatenate(chunks) if chunks else np.zeros(0, dtype)


def _traits_json(traits: Traits) -> dict[str, Any]:
    return {name: getattr(traits, name) for name in Traits.__slots__ if name != "accuracy"} | {
        "accuracy": traits.accuracy.model_dump(mode="json")
    }


def _write_whole(path: Path, text: str) -> None:
    partial = path.with_suffix(".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def _storage(path: Path, error: OSError) -> StorageError:
    return StorageError(
        f"{path}: the capture cannot be written: {error.strerror or error}",
        hint="check the disk, or choose another folder",
    )
