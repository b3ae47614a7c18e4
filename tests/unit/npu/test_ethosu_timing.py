"""The timing core: a transcription of Vela's estimate, held to Vela's own figures."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from npubench.compiler.backends.ethos_u.estimate import debug_tables, operators_by_offset
from npubench.compiler.backends.ethos_u.output import job_tensors, read_vela
from npubench.core.errors import ConfigError
from npubench.npu.ethosu.blocks import divide_up, elements_of, ofm_block_of, sub_kernels_of
from npubench.npu.ethosu.config import Accelerator, accelerator
from npubench.npu.ethosu.memory_system import MemorySystem, read_memory_system
from npubench.npu.ethosu.operation import BlockOp, DmaOp, Operation, OpKind, Pooling, WaitOp
from npubench.npu.ethosu.payload import parse_payload
from npubench.npu.ethosu.stream import operations
from npubench.npu.ethosu.timeline import program_time
from npubench.npu.ethosu.timing import operation_time
from npubench.npu.ethosu.units import element_cycles, mac_steps, micro_block_of
from support.vela_in_process import CHECKOUT, CONFIG, compile_network

U55_128 = accelerator("ethos-u55-128")


def system(mode: str = "Shared_Sram", axi_bytes: int = 8) -> MemorySystem:
    return read_memory_system(
        CONFIG, system_config="Mps3_U55", memory_mode=mode, axi_bytes=axi_bytes
    )


def program_of(compiled: Path) -> tuple[Operation, ...]:
    model = read_vela(compiled.read_bytes(), name=compiled.stem)
    stream = job_tensors(model, model.ops[0]).stream.data
    assert stream is not None
    return tuple(operations(parse_payload(stream).words))


def joined(first: BlockOp, second: BlockOp) -> BlockOp:
    """Two slices of one operation, put together again along the depth."""
    height, width, depth = first.ofm.shape
    assert second.ofm.shape[:2] == (height, width)
    more = second.ofm.shape[2]
    ifm = first.ifm
    if first.kind is OpKind.DEPTHWISE:
        ifm = dataclasses.replace(ifm, shape=(*ifm.shape[:2], ifm.shape[2] + second.ifm.shape[2]))
    ofm = dataclasses.replace(first.ofm, shape=(height, width, depth + more))
    return dataclasses.replace(first, ifm=ifm, ofm=ofm)


def velas_mac_cycles(op: BlockOp, npu: Accelerator, memories: MemorySystem) -> int:
    """What Vela's newer core makes of our cycles of a whole block: it scales by micro-blocks,
    halves for two cores, and adds the last block's output; for an 8-bit pooling it takes four
    times as long as its older core, Arm's model and we do."""
    block = ofm_block_of(op)
    ublock = micro_block_of(op, npu)
    block = (min(block[0], ublock[0]) if ublock[1] == 4 else block[0], *block[1:])
    per_block = sum(mac_steps(op, dataclasses.replace(npu, cores=1), block))
    if op.kind is OpKind.POOL and op.mode != Pooling.REDUCE_SUM and npu.macs != 32:
        ublocks = [divide_up(part, unit) for part, unit in zip(block, ublock, strict=True)]
        steps = sum(max(4, elements) for elements in sub_kernels_of(op))
        per_block += 3 * steps * ublocks[0] * ublocks[1] * ublocks[2]
    per_block = divide_up(per_block, npu.cores)
    blocks = 1.0
    for size, part, unit in zip(op.ofm.shape, block, npu.ublock, strict=True):
        blocks *= divide_up(size, unit) / divide_up(part, unit)
    written = int(element_cycles(op, npu) * elements_of(block))
    if op.scales is not None:
        latency = memories.memory(op.scales.region).read_latency_cycles
        written = max(written, 10 * block[2] * latency // 256)
    return int(per_block * blocks) + written


@pytest.mark.parametrize("name", ["ad", "ic", "kws", "vww"])
@pytest.mark.parametrize("kind", ["u55-32", "u55-64", "u55-128", "u55-256", "u65-256", "u65-512"])
def test_mac_cycles_agree_with_velas_database_within_a_hundredth(
    name: str, kind: str, tmp_path: Path
) -> None:
    """Vela counts the drain of an operation's last block as MAC time, and estimates an operation
    before it cuts it into slices by depth. A cycle or two is rounding."""
    npu = accelerator(f"ethos-{kind}")
    path = CHECKOUT / "models" / name / f"{name}.tflite"
    compiled = compile_network(path, tmp_path, accelerator=npu.name, debug=True)
    tables = debug_tables((tmp_path / f"{name}_debug.xml").read_text(encoding="utf-8"))
    scheduled = {int(row["offset"]): row["scheduled_id"] for row in tables["queue"]}
    expected = {
        row["id"]: int(row["mac_cycles"]) for row in tables["perf_debug_main"] if row["mac_cycles"]
    }
    whole: dict[str, BlockOp] = {}
    for op in program_of(compiled):
        if isinstance(op, BlockOp):
            key = scheduled[op.offset_bytes]
            whole[key] = joined(whole[key], op) if key in whole else op
    assert len(expected) > 5
    for key, cycles in expected.items():
        ours = velas_mac_cycles(whole[key], npu, system(axi_bytes=npu.axi_bytes))
        assert abs(ours - cycles) <= max(2, 0.01 * cycles), f"{name}: {key}: {ours} for {cycles}"


def test_every_operation_is_traced_to_an_operator(tmp_path: Path) -> None:
    compile_network(CHECKOUT / "models/kws/kws.tflite", tmp_path, debug=True)
    (stream,) = operators_by_offset((tmp_path / "kws_debug.xml").read_text(encoding="utf-8"))
    assert set(stream.values()) == {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12}


def test_macs_are_those_of_the_network(tmp_path: Path) -> None:
    compiled = compile_network(CHECKOUT / "models/ad/ad.tflite", tmp_path)
    assert program_time(program_of(compiled), U55_128, system()).macs == 264_192


def test_spans_add_up_to_the_last_operations_end(tmp_path: Path) -> None:
    compiled = compile_network(CHECKOUT / "models/ic/ic.tflite", tmp_path)
    time = program_time(program_of(compiled), U55_128, system())
    assert sum(time.spans) == time.cycles
    assert len(time.spans) == len(time.operations)


def test_slow_flash_makes_the_autoencoder_slower(tmp_path: Path) -> None:
    """Its weights are read once and used once: the memory is what counts."""
    compiled = compile_network(CHECKOUT / "models/ad/ad.tflite", tmp_path)
    program = program_of(compiled)
    shared = program_time(program, U55_128, system())
    sram = program_time(program, U55_128, system("Sram_Only"))
    assert shared.cycles > 7 * sram.cycles
    assert shared.weight_stall_cycles > shared.mac_cycles
    assert sram.read_bytes(1) == 0
    assert shared.read_bytes(0) + shared.read_bytes(1) == sram.read_bytes(0)


def test_a_copy_runs_beside_an_operation_until_a_wait(tmp_path: Path) -> None:
    compiled = compile_network(CHECKOUT / "models/ic/ic.tflite", tmp_path)
    program = program_of(compiled)
    block = next(op for op in program if isinstance(op, BlockOp))
    copy = next(op for op in program if isinstance(op, DmaOp))
    wait = WaitOp(offset_bytes=0, dma=True, outstanding=0)
    alone = operation_time(block, U55_128, system()).cycles
    copying = operation_time(copy, U55_128, system()).cycles
    assert program_time((copy, block), U55_128, system()).cycles == max(alone, copying)
    assert program_time((copy, wait, block), U55_128, system()).cycles == alone + copying


def test_configurations_have_names_of_their_own() -> None:
    hashes = {
        system(mode).sha256(accelerator(f"ethos-u55-{kind}"))
        for mode in ("Shared_Sram", "Sram_Only")
        for kind in (32, 64, 128, 256)
    }
    assert len(hashes) == 8
    faster = dataclasses.replace(system(), clock_hz=64e6)
    assert faster.sha256(U55_128) not in hashes
    assert system().sha256(U55_128) in hashes


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("core_clock=32e6", ""), "core_clock"),
        (("Sram_burst_length=32", "Sram_burst_length=many"), "many"),
        (("const_mem_area=Axi1", "const_mem_area=Axi7"), "Axi7"),
        (("[Memory_Mode.Shared_Sram]", "[Memory_Mode.Other]"), "Shared_Sram"),
    ],
)
def test_a_memory_file_without_something_is_refused(
    change: tuple[str, str], message: str, tmp_path: Path
) -> None:
    text = CONFIG.read_text(encoding="utf-8")
    path = tmp_path / "vela.ini"
    path.write_text(text.replace(*change, 1), encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        read_memory_system(path, system_config="Mps3_U55", memory_mode="Shared_Sram")
