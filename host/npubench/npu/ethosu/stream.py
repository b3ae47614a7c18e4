"""From a command stream to operations, through the state of the registers.

Registers keep their values between operations (compilers leave out writes that change nothing), so
that a stream can only be understood from its start.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from npubench.npu.ethosu.isa import BLOCK_OPERATIONS, OPERATIONS, Cmd0, Cmd1, StreamError, decode
from npubench.npu.ethosu.operation import (
    UNARY,
    BlockOp,
    DmaOp,
    Elementwise,
    FeatureMap,
    IrqOp,
    Operation,
    OpKind,
    PmuMaskOp,
    Pooling,
    Range,
    Rounding,
    StopOp,
    WaitOp,
)


class Registers:
    """The register state of the command stream; unset registers may not be read."""

    def __init__(self) -> None:
        self._cmd0: dict[Cmd0, int] = {}
        self._cmd1: dict[Cmd1, int] = {}
        self._offset = 0

    def write(self, code: Cmd0 | Cmd1, value: int, offset_bytes: int) -> None:
        """Take over one command's value (the parameter, or parameter:payload)."""
        self._offset = offset_bytes
        if isinstance(code, Cmd0):
            self._cmd0[code] = value
        else:
            self._cmd1[code] = value

    def get(self, code: Cmd0 | Cmd1, default: int | None = None) -> int:
        """A register's value. Raises StreamError when it was never written and has no default."""
        value = self._cmd0.get(code) if isinstance(code, Cmd0) else self._cmd1.get(code)
        if value is None:
            value = default
        if value is None:
            raise StreamError(f"{code.name} is used but was never set", offset_bytes=self._offset)
        return value

    def address(self, code: Cmd1) -> int:
        """A 40-bit address."""
        value = self.get(code)
        if value >> 40:
            raise StreamError(f"{code.name} {value:#x} exceeds 40 bits", offset_bytes=self._offset)
        return value

    def stride(self, code: Cmd1) -> int:
        """A stride in bytes: 40 bits, two's complement (a map may be walked backwards).

        Vela's legacy core fills the bits above with the sign; they are beyond the register.
        """
        value = self.get(code) & ((1 << 40) - 1)
        return value - (1 << 40) if value >> 39 else value

    def signed16(self, code: Cmd0, default: int | None = None) -> int:
        """A register read as a signed 16-bit number."""
        value = self.get(code, default)
        return value - 0x10000 if value & 0x8000 else value


_IFM_BITS = {0: 8, 1: 16, 2: 32}


def operations(words: Sequence[int]) -> Iterator[Operation]:
    """Every operation of a stream, in order, ending with StopOp.

    Raises StreamError for what cannot be decoded, for values out of range, and for a stream that
    ends without STOP.
    """
    registers = Registers()
    for command in decode(words):
        code = command.code
        if not isinstance(code, Cmd0) or code not in OPERATIONS:
            registers.write(code, command.value, command.offset_bytes)
        elif code in BLOCK_OPERATIONS:
            yield _block(registers, OpKind(code), command.param, command.offset_bytes)
        elif code is Cmd0.OP_DMA_START:
            yield _dma(registers, command.offset_bytes)
        elif code in (Cmd0.OP_DMA_WAIT, Cmd0.OP_KERNEL_WAIT):
            yield WaitOp(
                offset_bytes=command.offset_bytes,
                dma=code is Cmd0.OP_DMA_WAIT,
                outstanding=command.param & 0xF,
            )
        elif code is Cmd0.OP_IRQ:
            yield IrqOp(offset_bytes=command.offset_bytes, mask=command.param)
        elif code is Cmd0.OP_PMU_MASK:
            yield PmuMaskOp(offset_bytes=command.offset_bytes, counts=bool(command.param & 1))
        else:  # OP_STOP
            yield StopOp(offset_bytes=command.offset_bytes, mask=command.param)
            return
    raise StreamError("ends without STOP", offset_bytes=len(words) * 4)


def _dma(registers: Registers, offset: int) -> DmaOp:
    source_region = registers.get(Cmd0.DMA0_SRC_REGION)
    target_region = registers.get(Cmd0.DMA0_DST_REGION)
    if source_region & ~0x7 or target_region & ~0x107:
        raise StreamError("DMA region out of range or 2D/3D mode", offset_bytes=offset)
    length = registers.address(Cmd1.DMA0_LEN)
    if length == 0 or length % 16:
        raise StreamError(f"DMA length {length} is not a multiple of 16", offset_bytes=offset)
    return DmaOp(
        offset_bytes=offset,
        source=Range(
            region=source_region & 7, offset=registers.address(Cmd1.DMA0_SRC), length=length
        ),
        target=Range(
            region=target_region & 7, offset=registers.address(Cmd1.DMA0_DST), length=length
        ),
        to_shram=bool(target_region & 0x100),
    )


def _precision(value: int, *, shift: int, offset: int) -> tuple[int, bool, bool]:
    """(bits, signed, brick) of a PRECISION register; the width field begins at ``shift``."""
    code = (value >> shift) & 3
    if code not in _IFM_BITS:
        raise StreamError(f"unknown precision {value:#x}", offset_bytes=offset)
    return _IFM_BITS[code], bool(value & 1), bool(value & 0x40)


def _map(registers: Registers, prefix: str, shape: tuple[int, int, int], offset: int) -> FeatureMap:
    precision = registers.get(Cmd0[f"{prefix}_PRECISION"])
    bits, signed, brick = _precision(precision, shift=1 if prefix == "OFM" else 2, offset=offset)
    bases = tuple(registers.address(Cmd1[f"{prefix}_BASE{tile}"]) for tile in range(4))
    zero_point = registers.signed16(Cmd0[f"{prefix}_ZERO_POINT"])
    if bits == 8 and not signed:
        zero_point &= 0xFF
    return FeatureMap(
        region=registers.get(Cmd0[f"{prefix}_REGION"]) & 7,
        bases=(bases[0], bases[1], bases[2], bases[3]),
        width0=registers.get(Cmd0[f"{prefix}_WIDTH0_M1"]) + 1,
        height0=registers.get(Cmd0[f"{prefix}_HEIGHT0_M1"]) + 1,
        height1=registers.get(Cmd0[f"{prefix}_HEIGHT1_M1"]) + 1,
        shape=shape,
        stride_y=registers.stride(Cmd1[f"{prefix}_STRIDE_Y"]),
        stride_x=registers.stride(Cmd1[f"{prefix}_STRIDE_X"]),
        stride_c=registers.stride(Cmd1[f"{prefix}_STRIDE_C"]),
        bits=bits,
        signed=signed,
        brick=brick,
        zero_point=zero_point,
    )


def _scalar(registers: Registers, offset: int) -> int:
    """The scalar that stands for IFM2, its zero point taken off (32-bit operands have none)."""
    bits, signed, _ = _precision(registers.get(Cmd0.IFM2_PRECISION), shift=2, offset=offset)
    value = registers.signed16(Cmd0.IFM2_SCALAR)
    if bits == 8 and not signed:
        value &= 0xFF
    if bits == 32:
        return value
    return value - registers.signed16(Cmd0.IFM2_ZERO_POINT, 0)


def _scale(registers: Registers, code: Cmd1) -> tuple[int, int]:
    """(multiplier, shift): the payload and the parameter's low six bits."""
    value = registers.get(code, 0)
    return value & 0xFFFFFFFF, (value >> 32) & 0x3F


def _part(registers: Registers, region: Cmd0, base: Cmd1, length: Cmd1) -> Range:
    """A range of constants by three registers."""
    return Range(
        region=registers.get(region) & 7,
        offset=registers.address(base),
        length=registers.get(length) & 0xFFFFFFFF,
    )


def _block(registers: Registers, kind: OpKind, mode: int, offset: int) -> BlockOp:
    ofm_shape = (
        registers.get(Cmd0.OFM_HEIGHT_M1) + 1,
        registers.get(Cmd0.OFM_WIDTH_M1) + 1,
        registers.get(Cmd0.OFM_DEPTH_M1) + 1,
    )
    ofm_precision = registers.get(Cmd0.OFM_PRECISION)
    ifm_precision = registers.get(Cmd0.IFM_PRECISION)
    elementwise = kind is OpKind.ELEMENTWISE
    if (kind is OpKind.POOL and mode not in Pooling._value2member_map_) or (
        elementwise and mode not in Elementwise._value2member_map_
    ):
        raise StreamError(f"unknown mode {mode} of {kind.name}", offset_bytes=offset)
    rounding = (ofm_precision >> 14) & 3
    if rounding not in Rounding._value2member_map_:
        raise StreamError(f"unknown rounding {rounding}", offset_bytes=offset)

    if elementwise:
        kernel, stride, dilation, part_kernel = (1, 1), (1, 1), (1, 1), False
        pad = (0, 0, 0, 0)
    else:
        bits = registers.get(Cmd0.KERNEL_STRIDE)
        kernel = (registers.get(Cmd0.KERNEL_HEIGHT_M1) + 1, registers.get(Cmd0.KERNEL_WIDTH_M1) + 1)
        stride = (
            1 + ((bits >> 1) & 1 | ((bits >> 9) & 7) << 1),
            1 + (bits & 1 | ((bits >> 6) & 7) << 1),
        )
        dilation = (1 + ((bits >> 4) & 1), 1 + ((bits >> 3) & 1))
        part_kernel = bool(bits & 4)
        pad = (
            registers.get(Cmd0.IFM_PAD_TOP),
            registers.get(Cmd0.IFM_PAD_LEFT),
            registers.get(Cmd0.IFM_PAD_BOTTOM),
            registers.get(Cmd0.IFM_PAD_RIGHT),
        )
    upscale = registers.get(Cmd0.IFM_UPSCALE, 0)
    if upscale > 2:
        raise StreamError(f"unknown upscaling {upscale}", offset_bytes=offset)
    ifm_depth = registers.get(Cmd0.IFM_DEPTH_M1) + 1
    height, width = (
        _input_extent(
            ofm_shape[axis], stride[axis], kernel[axis], pad[axis], pad[axis + 2], upscale
        )
        for axis in (0, 1)
    )
    if height < 1 or width < 1:
        raise StreamError("the padding is larger than the input", offset_bytes=offset)

    ifm2 = scalar = None
    broadcast = 0
    if elementwise and Elementwise(mode) not in UNARY:
        broadcast = registers.get(Cmd0.IFM2_BROADCAST)
        if broadcast & 0x80:
            scalar = _scalar(registers, offset)
        else:
            ifm2 = _map(
                registers,
                "IFM2",
                (
                    1 if broadcast & 1 else ofm_shape[0],
                    1 if broadcast & 2 else ofm_shape[1],
                    1 if broadcast & 4 else ifm_depth,
                ),
                offset,
            )
    weights = scales = weights1 = scales1 = None
    if kind in (OpKind.CONV, OpKind.DEPTHWISE):
        weights = _part(registers, Cmd0.WEIGHT_REGION, Cmd1.WEIGHT_BASE, Cmd1.WEIGHT_LENGTH)
        scales = _part(registers, Cmd0.SCALE_REGION, Cmd1.SCALE_BASE, Cmd1.SCALE_LENGTH)
        if registers.get(Cmd1.WEIGHT1_LENGTH, 0) and ofm_shape[2] > 1:
            weights1 = _part(registers, Cmd0.WEIGHT_REGION, Cmd1.WEIGHT1_BASE, Cmd1.WEIGHT1_LENGTH)
            scales1 = _part(registers, Cmd0.SCALE_REGION, Cmd1.SCALE1_BASE, Cmd1.SCALE1_LENGTH)
    activation = registers.get(Cmd0.ACTIVATION, 0)
    function = activation & 0x1F
    return BlockOp(
        offset_bytes=offset,
        kind=kind,
        mode=mode,
        ifm=_map(registers, "IFM", (height, width, ifm_depth), offset),
        ifm2=ifm2,
        ifm2_scalar=scalar,
        ifm2_broadcast=broadcast,
        ofm=_map(registers, "OFM", ofm_shape, offset),
        kernel=kernel,
        dilation=dilation,
        stride=stride,
        part_kernel=part_kernel,
        pad=pad,
        upscale=upscale,
        weights=weights,
        scales=scales,
        weights1=weights1,
        scales1=scales1,
        ofm_scale=_scale(registers, Cmd1.OFM_SCALE),
        opa_scale=_scale(registers, Cmd1.OPA_SCALE),
        opb_scale=registers.get(Cmd1.OPB_SCALE, 0) & 0xFFFFFFFF,
        scale_mode=(ifm_precision >> 8) & 3,
        global_scale=bool(ofm_precision & 0x100),
        rounding=Rounding(rounding),
        activation=function,
        activation_range=(
            registers.signed16(Cmd0.ACTIVATION_MIN),
            registers.signed16(Cmd0.ACTIVATION_MAX),
        ),
        force_int8=(activation >> 12) & 3 == 3,
        lut=function - 16 if 16 <= function <= 23 else None,
        block=(
            registers.get(Cmd0.OFM_BLK_HEIGHT_M1) + 1,
            registers.get(Cmd0.OFM_BLK_WIDTH_M1) + 1,
            registers.get(Cmd0.OFM_BLK_DEPTH_M1) + 1,
        ),
        acc_format=registers.get(Cmd0.ACC_FORMAT, 0),
        blockdep=registers.get(Cmd0.BLOCKDEP, 0) & 3,
        input_end=registers.get(Cmd0.IFM_IB_END, 0),
        input2_start=registers.get(Cmd0.IFM2_IB_START, 0) if ifm2 is not None else None,
        accumulators_start=registers.get(Cmd0.AB_START, 0),
    )


def _input_extent(
    output: int, stride: int, kernel: int, pad_before: int, pad_after: int, upscale: int
) -> int:
    """Rows (or columns) of the IFM that an operation reads: not in the registers, but implied."""
    upscaled = (output - 1) * stride + kernel - pad_before - pad_after
    return upscaled if upscale == 0 else (upscaled + 1) // 2
