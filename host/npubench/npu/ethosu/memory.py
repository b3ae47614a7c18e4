"""Feature maps in flat memory: regions of bytes, tiles, bricks; every access checked.

Memory belongs to the caller: a region is a writable numpy uint8 array (a file, shared memory, or
plain bytes), so that tests, files and the virtual board run the same code.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from npubench.npu.ethosu.isa import StreamError, StreamFault
from npubench.npu.ethosu.operation import FeatureMap, Range

Bytes = npt.NDArray[np.uint8]
Values = npt.NDArray[np.int64]
Regions = Mapping[int, Bytes]

BRICK_CHANNELS = 16
_DTYPES: dict[tuple[int, bool], Any] = {
    (8, True): np.int8,
    (8, False): np.uint8,
    (16, True): np.int16,
    (16, False): np.uint16,
    (32, True): np.int32,
    (32, False): np.int32,
}


def region_of(regions: Regions, index: int, what: str, offset_bytes: int) -> Bytes:
    """A region's memory. Raises StreamError when the job has none of that number."""
    memory = regions.get(index)
    if memory is None:
        raise StreamError(
            f"{what} is in region {index}, which is not set",
            offset_bytes=offset_bytes,
            fault=StreamFault.BUS,
            what=what,
            region=index,
        )
    return memory


def read_range(regions: Regions, where: Range, what: str, offset_bytes: int) -> Bytes:
    """The bytes of a range, as a view. Raises StreamError when it leaves its region."""
    memory = region_of(regions, where.region, what, offset_bytes)
    end = where.offset + where.length
    if end > memory.size:
        raise StreamError(
            f"{what} {where.offset:#x}..{end:#x} leaves region {where.region} of "
            f"{memory.size:#x} bytes",
            offset_bytes=offset_bytes,
            fault=StreamFault.BUS,
            what=what,
            region=where.region,
        )
    return memory[where.offset : end]


def read_map(regions: Regions, fmap: FeatureMap, what: str, offset_bytes: int) -> Values:
    """A feature map as int64 of shape (height, width, depth), zero point not subtracted."""
    result = np.empty(fmap.shape, dtype=np.int64)
    for rows, columns, view in _tiles(regions, fmap, what, offset_bytes):
        if fmap.brick:
            height, width = view.shape[0], view.shape[1]
            flat = view.reshape(height, width, -1)
            result[rows, columns] = flat[:, :, : fmap.shape[2]]
        else:
            result[rows, columns] = view
    return result


def write_map(
    regions: Regions, fmap: FeatureMap, values: Values, what: str, offset_bytes: int
) -> None:
    """Store int64 values of shape (height, width, depth); the caller has clamped them."""
    for rows, columns, view in _tiles(regions, fmap, what, offset_bytes):
        part = values[rows, columns].astype(view.dtype)
        if not fmap.brick:
            view[...] = part
            continue
        depth = fmap.shape[2]
        full = depth // BRICK_CHANNELS * BRICK_CHANNELS
        height, width = part.shape[:2]
        view[:, :, : full // BRICK_CHANNELS] = part[:, :, :full].reshape(
            height, width, -1, BRICK_CHANNELS
        )
        if full < depth:
            view[:, :, full // BRICK_CHANNELS, : depth - full] = part[:, :, full:]


def _tiles(
    regions: Regions, fmap: FeatureMap, what: str, offset_bytes: int
) -> list[tuple[slice, slice, npt.NDArray[Any]]]:
    """Each tile in use: its rows, its columns, and a view of its memory.

    Views are (rows, columns, depth), or for bricks (rows, columns, bricks, 16).
    """
    height, width, _ = fmap.shape
    memory = region_of(regions, fmap.region, what, offset_bytes)
    split = min(fmap.width0, width)
    found = []
    for tile, (top, bottom, left, right) in enumerate(
        (
            (0, min(fmap.height0, height), 0, split),
            (0, min(fmap.height1, height), split, width),
            (min(fmap.height0, height), height, 0, split),
            (min(fmap.height1, height), height, split, width),
        )
    ):
        if top < bottom and left < right:
            view = _view(memory, fmap, tile, (bottom - top, right - left), what, offset_bytes)
            found.append((slice(top, bottom), slice(left, right), view))
    return found


def _view(
    memory: Bytes,
    fmap: FeatureMap,
    tile: int,
    extent: tuple[int, int],
    what: str,
    offset_bytes: int,
) -> npt.NDArray[Any]:
    dtype = np.dtype(_DTYPES[fmap.bits, fmap.signed])
    base = fmap.bases[tile]
    depth = fmap.shape[2]
    rows, columns = extent
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    if fmap.brick:
        shape = (rows, columns, -(-depth // BRICK_CHANNELS), BRICK_CHANNELS)
        strides = (fmap.stride_y, fmap.stride_x, fmap.stride_c, dtype.itemsize)
        alignment = 16
    else:
        shape = (rows, columns, depth)
        strides = (fmap.stride_y, fmap.stride_x, dtype.itemsize)
        alignment = dtype.itemsize
    if base % alignment or any(stride % dtype.itemsize for stride in strides):
        raise StreamError(
            f"{what} tile {tile} at {base:#x} or its strides {strides} are not aligned to "
            f"{alignment}",
            offset_bytes=offset_bytes,
        )
    reach = [(size - 1) * stride for size, stride in zip(shape, strides, strict=True)]
    begin = base + sum(min(0, part) for part in reach)
    end = base + sum(max(0, part) for part in reach) + dtype.itemsize
    if begin < 0 or end > memory.size:
        raise StreamError(
            f"{what} tile {tile} lies at {begin:#x}..{end:#x}, its region {fmap.region} has "
            f"{memory.size:#x} bytes",
            offset_bytes=offset_bytes,
            fault=StreamFault.BUS,
            what=what,
            region=fmap.region,
        )
    flat = (
        np.ndarray(shape=(memory.size // dtype.itemsize,), dtype=dtype, buffer=memory.data)
        if memory.flags.c_contiguous
        else np.frombuffer(memory, dtype=dtype)
    )
    return np.lib.stride_tricks.as_strided(
        flat[base // dtype.itemsize :], shape=shape, strides=strides, writeable=True
    )
