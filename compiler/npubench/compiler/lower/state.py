"""READ_VARIABLE and ASSIGN_VARIABLE: copies between a tensor and what the network keeps."""

from __future__ import annotations

from npubench.compiler.graph import Tensor
from npubench.compiler.lower.site import Lowering, LoweringFunction, Site, read, write
from npubench.compiler.plan import Arg, Constant, ConstantArg, KernelCall


def _memory(site: Site) -> Tensor:
    try:
        variable = site.graph.variable(site.op.inputs[0])
    except (KeyError, IndexError):
        site.fail("its handle names no variable")
    return site.graph.tensor(variable.tensor)


def _move(
    site: Site, source: Arg, target: Tensor, size_bytes: int, *constants: Constant
) -> Lowering:
    site.require(size_bytes == target.size_bytes, f"{size_bytes} bytes to {target.size_bytes}")
    call = KernelCall(
        op_index=site.op.index,
        kernel="nb_move",
        source="move.c",
        params_type="nb_move_params",
        params=(("bytes", size_bytes),),
        args=(source, write(target)),
    )
    return call, constants


def _read(site: Site) -> Lowering:
    memory = _memory(site)
    target = site.output()
    return _move(site, read(memory), target, memory.size_bytes)


def _assign(site: Site) -> Lowering:
    memory = _memory(site)
    value = site.input(1)
    if value.data is None:
        return _move(site, read(value), memory, value.size_bytes)
    constant = site.constant("value", "int8_t", value.data)
    return _move(site, ConstantArg(constant=constant.name), memory, value.size_bytes, constant)


LOWERINGS: dict[str, LoweringFunction] = {
    "READ_VARIABLE": _read,
    "ASSIGN_VARIABLE": _assign,
}
