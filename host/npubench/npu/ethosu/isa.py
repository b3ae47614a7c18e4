"""The command stream's instruction set: opcodes, decoding and disassembly.

A command is one 32-bit word (bits 0-9 opcode, bits 14-15 payload mode, bits 16-31 parameter),
followed by one payload word when the mode is 1. Source of the numbers: the register description
that Arm publishes with Vela (Apache-2.0), `ethos_u55_regs`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, IntEnum

from npubench.core.errors import NpubenchError


class StreamFault(Enum):
    """How the hardware reports what is wrong with a stream."""

    PARSE = "parse"
    BUS = "bus"
    WEIGHTS = "weights"


class StreamError(NpubenchError):
    """A command stream or its payload is invalid. ``offset_bytes`` says where, if known.

    ``what`` and ``region``: of a bus fault, the access that failed and the region it went to.
    """

    exit_code = 2

    def __init__(
        self,
        message: str,
        *,
        offset_bytes: int | None = None,
        fault: StreamFault = StreamFault.PARSE,
        what: str = "",
        region: int | None = None,
    ) -> None:
        where = "" if offset_bytes is None else f"at {offset_bytes:#x}: "
        super().__init__(
            f"command stream: {where}{message}",
            hint="compile the network again for this accelerator",
        )
        self.offset_bytes = offset_bytes
        self.fault = fault
        self.what = what
        self.region = region


class Cmd0(IntEnum):
    """Commands without payload: operations and 16-bit registers."""

    OP_STOP = 0x000
    OP_IRQ = 0x001
    OP_CONV = 0x002
    OP_DEPTHWISE = 0x003
    OP_POOL = 0x005
    OP_ELEMENTWISE = 0x006
    OP_DMA_START = 0x010
    OP_DMA_WAIT = 0x011
    OP_KERNEL_WAIT = 0x012
    OP_PMU_MASK = 0x013
    IFM_PAD_TOP = 0x100
    IFM_PAD_LEFT = 0x101
    IFM_PAD_RIGHT = 0x102
    IFM_PAD_BOTTOM = 0x103
    IFM_DEPTH_M1 = 0x104
    IFM_PRECISION = 0x105
    IFM_UPSCALE = 0x107
    IFM_ZERO_POINT = 0x109
    IFM_WIDTH0_M1 = 0x10A
    IFM_HEIGHT0_M1 = 0x10B
    IFM_HEIGHT1_M1 = 0x10C
    IFM_IB_END = 0x10D
    IFM_REGION = 0x10F
    OFM_WIDTH_M1 = 0x111
    OFM_HEIGHT_M1 = 0x112
    OFM_DEPTH_M1 = 0x113
    OFM_PRECISION = 0x114
    OFM_BLK_WIDTH_M1 = 0x115
    OFM_BLK_HEIGHT_M1 = 0x116
    OFM_BLK_DEPTH_M1 = 0x117
    OFM_ZERO_POINT = 0x118
    OFM_WIDTH0_M1 = 0x11A
    OFM_HEIGHT0_M1 = 0x11B
    OFM_HEIGHT1_M1 = 0x11C
    OFM_REGION = 0x11F
    KERNEL_WIDTH_M1 = 0x120
    KERNEL_HEIGHT_M1 = 0x121
    KERNEL_STRIDE = 0x122
    PARALLEL_MODE = 0x123
    ACC_FORMAT = 0x124
    ACTIVATION = 0x125
    ACTIVATION_MIN = 0x126
    ACTIVATION_MAX = 0x127
    WEIGHT_REGION = 0x128
    SCALE_REGION = 0x129
    AB_START = 0x12D
    BLOCKDEP = 0x12F
    DMA0_SRC_REGION = 0x130
    DMA0_DST_REGION = 0x131
    DMA0_SIZE0 = 0x132
    DMA0_SIZE1 = 0x133
    IFM2_BROADCAST = 0x180
    IFM2_SCALAR = 0x181
    IFM2_PRECISION = 0x185
    IFM2_ZERO_POINT = 0x189
    IFM2_WIDTH0_M1 = 0x18A
    IFM2_HEIGHT0_M1 = 0x18B
    IFM2_HEIGHT1_M1 = 0x18C
    IFM2_IB_START = 0x18D
    IFM2_REGION = 0x18F


class Cmd1(IntEnum):
    """Commands with a 32-bit payload: addresses (40 bits with the parameter), strides, scales."""

    IFM_BASE0 = 0x000
    IFM_BASE1 = 0x001
    IFM_BASE2 = 0x002
    IFM_BASE3 = 0x003
    IFM_STRIDE_X = 0x004
    IFM_STRIDE_Y = 0x005
    IFM_STRIDE_C = 0x006
    OFM_BASE0 = 0x010
    OFM_BASE1 = 0x011
    OFM_BASE2 = 0x012
    OFM_BASE3 = 0x013
    OFM_STRIDE_X = 0x014
    OFM_STRIDE_Y = 0x015
    OFM_STRIDE_C = 0x016
    WEIGHT_BASE = 0x020
    WEIGHT_LENGTH = 0x021
    SCALE_BASE = 0x022
    SCALE_LENGTH = 0x023
    OFM_SCALE = 0x024
    OPA_SCALE = 0x025
    OPB_SCALE = 0x026
    DMA0_SRC = 0x030
    DMA0_DST = 0x031
    DMA0_LEN = 0x032
    DMA0_SKIP0 = 0x033
    DMA0_SKIP1 = 0x034
    IFM2_BASE0 = 0x080
    IFM2_BASE1 = 0x081
    IFM2_BASE2 = 0x082
    IFM2_BASE3 = 0x083
    IFM2_STRIDE_X = 0x084
    IFM2_STRIDE_Y = 0x085
    IFM2_STRIDE_C = 0x086
    WEIGHT1_BASE = 0x090
    WEIGHT1_LENGTH = 0x091
    SCALE1_BASE = 0x092
    SCALE1_LENGTH = 0x093


OPERATIONS = frozenset(code for code in Cmd0 if code < 0x100)
BLOCK_OPERATIONS = frozenset({Cmd0.OP_CONV, Cmd0.OP_DEPTHWISE, Cmd0.OP_POOL, Cmd0.OP_ELEMENTWISE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One decoded command. ``payload`` is None for Cmd0."""

    offset_bytes: int
    code: Cmd0 | Cmd1
    param: int
    payload: int | None

    @property
    def value(self) -> int:
        """What the command sets: the parameter, or the 48-bit parameter:payload."""
        return self.param if self.payload is None else (self.param << 32) | self.payload


def decode(words: Sequence[int]) -> Iterator[Command]:
    """Decode a stream of 32-bit words, lazily and in order.

    Raises StreamError at the first word that is not a known command, or when a payload is cut off.
    """
    position = 0
    while position < len(words):
        word = words[position]
        offset = position * 4
        opcode, mode, param = word & 0x3FF, (word >> 14) & 3, word >> 16
        if word & 0x3C00:
            raise StreamError(f"reserved bits set in {word:#010x}", offset_bytes=offset)
        try:
            if mode == 0:
                command = Command(offset_bytes=offset, code=Cmd0(opcode), param=param, payload=None)
            elif mode == 1:
                if position + 1 >= len(words):
                    raise StreamError("the payload is cut off", offset_bytes=offset)
                command = Command(
                    offset_bytes=offset,
                    code=Cmd1(opcode),
                    param=param,
                    payload=words[position + 1],
                )
                position += 1
            else:
                raise StreamError(f"unknown payload mode {mode}", offset_bytes=offset)
        except ValueError as error:
            raise StreamError(
                f"unknown command {opcode:#05x} (mode {mode})", offset_bytes=offset
            ) from error
        yield command
        position += 1


def disassemble(words: Sequence[int]) -> Iterator[str]:
    """The stream as text, a line per command: offset, name, value."""
    for command in decode(words):
        kind = "NPU_" if command.code in OPERATIONS and command.payload is None else "NPU_SET_"
        value = f"{command.value:#x}" if command.payload is not None else f"{command.param}"
        yield f"{command.offset_bytes:#08x}  {kind}{command.code.name:<18} {value}"
