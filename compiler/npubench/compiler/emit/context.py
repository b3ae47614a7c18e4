"""What the templates see: frozen data, every decision already made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Macro:
    """One ``#define``; ``value`` is C text."""

    name: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """A header that holds macros only. ``includes`` are headers of ours."""

    file: str
    purpose: str
    guard: str
    includes: tuple[str, ...]
    macros: tuple[Macro, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """A constant array: where its bytes begin in the weights' file, in bytes."""

    name: str
    ctype: str
    count: int
    align: int
    offset_bytes: int
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One initialiser of a parameter struct; ``value`` is C text."""

    name: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """The parameter struct of one kernel call."""

    name: str
    ctype: str
    section: str
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One step of the network, ``text`` being the C expression; ``op`` the operators it stands for.

    ``case`` is the operator's number at which ``nb_model_op`` runs it. ``checked``: the expression
    gives an error code.
    """

    case: int
    comment: str
    text: str
    checked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Bytes at ``source`` (C text). ``offset_bytes``: of an input or output, from the start of
    the caller's buffer; of an operator's output, from ``source``."""

    source: str
    size_bytes: int
    offset_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What a variable starts with: ``size_bytes`` at ``target`` (C text) are ``fill``, or a copy of
    the array ``source`` where they differ."""

    target: str
    size_bytes: int
    fill: int
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """All of nb_model.c and nb_weights.S. ``flavours``: those of its kernels that have a header
    of their own."""

    blobs: tuple[Blob, ...]
    params: tuple[Params, ...]
    calls: tuple[Call, ...]
    op_outputs: tuple[Span, ...]
    inputs: tuple[Span, ...]
    outputs: tuple[Span, ...]
    uses_npu: bool
    npu_load: bool
    weights_file: str
    state: tuple[State, ...] = ()
    flavours: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """A line of the linker's MEMORY. ``base`` and ``size`` are hexadecimal text."""

    name: str
    attributes: str
    base: str
    size: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Linker:
    """Regions, and which of them takes what. ``cleared``: the last section that start-up clears."""

    regions: tuple[Region, ...]
    code: str
    weights: str
    ram: str
    arena: str
    fixture: str
    cleared: Literal["output", "fixture", "arena"]
    stack: str


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What platformio.ini and the README say."""

    board_id: str
    board_name: str
    model: str
    backend: str
    version: str
    operators: int
    compiler: str
    package: str
    can_upload: bool
    upload_protocol: str
    monitor_baud: int
    sdk_platform: str
    sdk_framework: str
    sdk_board: str
    sdk_speed: int
