"""Promise: on every core the kernels of every flavour equal TensorFlow Lite Micro, to the bit.

Random layers are drawn (shapes, strides, paddings, dilations, activations, zero points up to the
extremes, scales down to 1e-11), lowered for a flavour, compiled for a core that has it and run in
the emulator without any firmware around them; each output is compared with the interpreter's. Every
buffer ends where an allocation ends. That the flavour under test was chosen is asserted too.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from npubench.compiler.plan import KernelCall
from npubench.core.paths import data_root
from support import kernel_program as kernels
from support.operator_networks import networks

pytest.importorskip(
    "tflite_micro.python.tflite_micro.runtime", reason="tflite-micro is Linux on x86-64 only"
)
pytestmark = [
    pytest.mark.skipif(
        shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not installed"
    ),
    pytest.mark.skipif(
        shutil.which("qemu-system-arm") is None, reason="qemu-system-arm is not installed"
    ),
]

TESTS = Path(__file__).resolve().parents[1]
LAYERS = 40
# Sums of 32 bits, rounded once and twice, and of 64; an odd number of windows; dense layers.
WIDE = ("wide_conv_0", "wide_conv_1", "wide_conv_9", "wide_conv_11", "wide_dense_1_each",
        "wide_dense_2_whole")  # fmt: skip
ROUNDS = 2
SPARE_BYTES = (0, 1 << 16, 350)


def module(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    sys.modules[name] = found
    spec.loader.exec_module(found)
    return found


ops = module("kernel_models", TESTS / "data" / "ops" / "make_ops.py")


@dataclass(frozen=True)
class Core:
    """An emulated core and the flavour that is tried on it."""

    machine: str
    flavour: str
    flags: tuple[str, ...]
    ram: int

    @property
    def flavours(self) -> tuple[str, ...]:
        """What it can run, best first."""
        return ("portable",) if self.flavour == "portable" else (self.flavour, "dsp", "portable")


HARD = ("-mfloat-abi=hard",)

# Code for a Cortex-M0+ runs on a Cortex-M3, and has kernels' loops of its own.
CORES = {
    "m0plus": Core(
        "mps2-an385", "portable", ("-mcpu=cortex-m0plus", "-mfloat-abi=soft"), 0x20000000
    ),
    "m4": Core("mps2-an386", "dsp", ("-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16", *HARD), 0x20000000),
    "m7": Core("mps2-an500", "dsp", ("-mcpu=cortex-m7", "-mfpu=fpv5-d16", *HARD), 0x20000000),
    "m33": Core("mps2-an505", "dsp", ("-mcpu=cortex-m33", "-mfpu=fpv5-sp-d16", *HARD), 0x38000000),
    "m55": Core("mps3-an547", "mve", ("-mcpu=cortex-m55", "-mfpu=auto", *HARD), 0x31000000),
}

START = r"""
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
extern void initialise_monitor_handles(void);
extern int main(void);
extern uint32_t stack_top[];
void reset(void);
void reset(void)
{
    *(volatile uint32_t *)0xE000ED88 = 0xFu << 20; /* the FPU and Helium */
    __asm volatile("dsb\n\tisb");
    /* Not newlib's start: it would take stack and heap from where the emulator guesses RAM. */
    initialise_monitor_handles();
    freopen("in.bin", "rb", stdin);
    freopen("out.bin", "wb", stdout);
    exit(main());
}
__attribute__((section(".vectors"), used)) void *const vectors[16] = {stack_top, (void *)reset};
"""

LINK = """
ENTRY(reset)
MEMORY { code (rx) : ORIGIN = CODE, LENGTH = 0x80000  ram (rwx) : ORIGIN = RAM, LENGTH = 0x200000 }
SECTIONS
{
    .vectors : { KEEP(*(.vectors)) } > code
    .text : { *(.text*) *(.rodata*) KEEP(*(.init)) KEEP(*(.fini)) } > code
    .init_array : { __preinit_array_start = .; KEEP(*(.preinit_array*)) __preinit_array_end = .;
        __init_array_start = .; KEEP(*(SORT(.init_array.*))) KEEP(*(.init_array))
        __init_array_end = .; __fini_array_start = .; KEEP(*(.fini_array*))
        __fini_array_end = .; } > code
    .exidx : { __exidx_start = .; *(.ARM.exidx*) __exidx_end = .; } > code
    .data : { *(.data*) } > ram
    .bss : { __bss_start__ = .; *(.bss*) *(COMMON) __bss_end__ = .; end = .; __end__ = .; } > ram
    stack_top = ORIGIN(ram) + LENGTH(ram);
}
"""


def layer(rng: np.random.Generator) -> Any:
    """A random layer of those that have kernels of their own."""
    kind = rng.choice(["conv", "point", "depthwise", "dense", "add", "pool"])
    relu = bool(rng.random() < 0.6)
    activation = int(rng.choice([ops.RELU, ops.RELU6])) if relu else ops.NONE
    zero = (int(rng.choice([-128, 127, *rng.integers(-128, 128, 3)])),
            -128 if relu and rng.random() < 0.7 else int(rng.integers(-128, 128)))  # fmt: skip
    tiny = rng.random() < 0.1
    common: dict[str, Any] = {
        "activation": activation,
        "zero": zero,
        "scales": (1e-6, 1.0) if tiny else (0.05, float(rng.uniform(0.02, 0.2))),
        "typical": float(10.0 ** rng.uniform(-5, -3)) if tiny else None,
        "padding": int(rng.choice([ops.SAME, ops.VALID])),
        "bias": bool(rng.random() < 0.8),
    }
    height, width = (int(size) for size in rng.integers(5, 14, 2))
    channels = int(rng.choice([1, 2, 3, 4, 5, 8, 12, 16, 20, 33]))
    if kind == "conv":
        dilated = rng.random() < 0.3
        small = lambda most: tuple(int(v) for v in rng.integers(1, most, 2))  # noqa: E731
        return ops.convolution(
            (int(rng.integers(1, 3)), height, width, channels), int(rng.integers(1, 20)),
            small(4) if dilated else small(6), stride=(1, 1) if dilated else small(4),
            dilation=small(3) if dilated else (1, 1), **common,
        )  # fmt: skip
    if kind == "point":
        return ops.convolution(
            (1, height, width, channels), int(rng.integers(1, 40)), (1, 1), **common
        )
    if kind == "depthwise":
        stride = int(rng.integers(1, 4))
        across = stride if rng.random() < 0.7 else int(rng.integers(1, 4))
        return ops.depthwise(
            (int(rng.choice([1, 1, 2])), height, width, int(rng.choice([4, 5, 8, 12, 16, 30, 50]))),
            1, (3, 3), stride=(stride, across), **common,
        )  # fmt: skip
    if kind == "dense":
        return ops.dense(
            int(rng.integers(1, 3)), int(rng.integers(3, 80)), int(rng.integers(8, 40)),
            activation=activation,
        )  # fmt: skip
    if kind == "pool":
        return ops.pool("AVERAGE_POOL_2D", (1, height, width, int(rng.choice([8, 16, 24]))), (3, 3))
    shape = (1, height, width, channels)
    return ops.binary("ADD", shape, shape, activation=activation)


@pytest.fixture(
    scope="module",
    params=[1000, *(pytest.param(seed, marks=pytest.mark.long) for seed in (2000, 3000, 4000))],
)
def models(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Random layers, from a first seed on."""
    folder = tmp_path_factory.mktemp("layers")
    paths = []
    for index in range(LAYERS):
        rng = np.random.default_rng(request.param + index)
        path = folder / f"layer_{index}.tflite"
        path.write_bytes(layer(rng)(rng).bytes())
        paths.append(path)
    wide = networks()
    for name in WIDE:
        paths.append(folder / f"{name}.tflite")
        paths[-1].write_bytes(wide[name])
    return paths


def build(core: Core, programs: list[Any], folder: Path) -> Path:
    flavours = {"portable", *core.flavours}
    headers = "".join(
        f'\n#include "nb_kernels_{name}.h"' for name in sorted(flavours - {"portable"})
    )
    source = kernels.driver(programs)
    plain = '#include "nb_kernels.h"'
    (folder / "driver.c").write_text(source.replace(plain, plain + headers))
    (folder / "start.c").write_text(START)
    code = 0x10000000 if core.machine == "mps2-an505" else 0
    (folder / "link.ld").write_text(LINK.replace("CODE", hex(code)).replace("RAM,", f"{core.ram},"))
    firmware = data_root() / "firmware"
    sources = [
        str(path)
        for flavour in sorted(flavours)
        for path in sorted((firmware / "kernels" / flavour).glob("*.c"))
    ]
    image = folder / "image.elf"
    command = [
        "arm-none-eabi-gcc", *core.flags, "-mthumb", "-std=gnu11", "-O2",
        "-fno-tree-vectorize", "-I", str(firmware / "include"), "--specs=rdimon.specs", "-T",
        str(folder / "link.ld"), "-o", str(image), str(folder / "start.c"),
        str(folder / "driver.c"), *sources, "-lm",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return image


def kind(step: KernelCall) -> str:
    """Where a convolution reads its weights."""
    params = dict(step.params)
    if not params["copied"]:
        return "in place"
    channels, groups = params["out_c"], params["groups"]
    assert isinstance(channels, int)
    assert isinstance(groups, int)
    return "copied" if 4 * groups >= channels else "copied in blocks"


@pytest.mark.parametrize("name", sorted(CORES))
def test_random_layers_equal_the_reference(name: str, models: list[Path], tmp_path: Path) -> None:
    core = CORES[name]
    # Every kernel without memory to spare, with plenty, and with enough for some of its channels.
    programs = [
        kernels.lower(
            path.read_bytes(), path.stem, core.flavours, SPARE_BYTES[index % len(SPARE_BYTES)]
        )
        for index, path in enumerate(models)
    ]
    chosen = [
        step.flavour or "portable"
        for program in programs
        for step in program.steps
        if isinstance(step, KernelCall)
    ]
    assert chosen.count(core.flavour) > LAYERS // 3, chosen
    if "dsp" in core.flavour:
        blocks = {
            kind(step)
            for program in programs
            for step in program.steps
            if isinstance(step, KernelCall) and "copied" in dict(step.params)
        }
        assert blocks >= {"in place", "copied"}
    image = build(core, programs, tmp_path)
    for index, (path, program) in enumerate(zip(models, programs, strict=True)):
        rounds = [kernels.stimuli(program.graph, seed) for seed in range(ROUNDS)]
        (tmp_path / "in.bin").write_bytes(kernels.pack(index, program, rounds))
        (tmp_path / "out.bin").unlink(missing_ok=True)
        done = subprocess.run(
            ["timeout", "-k", "1", "60", "qemu-system-arm", "-M", core.machine, "-nographic",
             "-monitor", "none", "-serial", "none", "-semihosting-config",
             "enable=on,target=native", "-kernel", str(image)],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"layer {index} ({chosen[index]}): {done.stderr[-2000:]}"
        golden = kernels.interpreter(path.read_bytes())
        data = (tmp_path / "out.bin").read_bytes()
        for arrays, tensors in zip(rounds, kernels.unpack(program, ROUNDS, data), strict=True):
            for position, array in enumerate(arrays):
                golden.set_input(array, position)
            golden.invoke()
            for tensor, array in tensors.items():
                expected = golden.GetTensor(tensor, 0)["tensor_data"]
                np.testing.assert_array_equal(
                    array,
                    np.asarray(expected).reshape(array.shape),
                    err_msg=f"layer {index}, {chosen[index]}: {program.steps}",
                )
