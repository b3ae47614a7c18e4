"""A stand-in for ADI's ai8xize.py, from what its public sources say: it takes the options that the
tool has, reads `arch: test` networks as the tool reads them, refuses what the tool refuses,
computes the known answer and the latency, and writes a project in the tool's format. It is not the
tool: its C configures nothing, and its accelerator echoes its memory.

It leaves `seen.json` beside it; `answer.json` beside it takes the place of what it computes."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

PROCESSORS, SHARED, PER_GROUP = 64, 4, 16


@dataclass(frozen=True, kw_only=True)
class Part:
    """Addresses and sizes (izer's tornadocnn.py): data memory, way to the next group and the next
    instance, bytes in one, kernels of a processor."""

    base: int
    group: int
    stride: int
    size: int
    kernels: int


PARTS = {
    "MAX78000": Part(base=0x50400000, group=0x400000, stride=0x8000, size=0x8000, kernels=768),
    "MAX78002": Part(base=0x51800000, group=0x1000000, stride=0x20000, size=0x14000, kernels=4096),
}
# Of the generated C, what is another for the MAX78002.
OTHER_C = (
    ("#include <stdlib.h>", "#include <assert.h>\n#include <stdlib.h>"),
    ("0x50100000", "0x51000000"),
    ("0x50100010", "0x51100004"),
    ("0x50108000", "0x51180000"),
    ("0x50180000", "0x51400000"),
    ("0x50400000", "0x51800000"),
    ("Power\n", "Power\n  MXC_Delay(MSEC(10)); // Wait for load switches\n"),
    (
        "  MXC_GCR->pclkdiv = (",
        "  if (clock_source == MXC_S_GCR_PCLKDIV_CNNCLKSEL_IPLL)\n"
        "    while ((MXC_GCR->ipll_ctrl & MXC_F_GCR_IPLL_CTRL_RDY) != MXC_F_GCR_IPLL_CTRL_RDY) ;"
        " // Wait for PLL\n\n  MXC_GCR->pclkdiv = (",
    ),
)
LAYER_KEYS = {
    "processors", "out_offset", "in_offset", "operation", "data_format", "in_dim", "max_pool",
    "avg_pool", "pool_stride", "kernel_size", "pad", "activate", "output_shift", "output_width",
    "flatten", "quantization", "in_channels", "out_channels",
}  # fmt: skip
CNN_H = """\
#ifndef __CNN_H__
#define __CNN_H__

#include <stdint.h>
typedef int32_t q31_t;
typedef int16_t q15_t;

/* Return codes */
#define CNN_FAIL 0
#define CNN_OK 1

/* Number of outputs for this network */
#define CNN_NUM_OUTPUTS COUNT

/* Use this timer to time the inference */
#define CNN_INFERENCE_TIMER MXC_TMR0

/* Port pin actions used to signal that processing is active */
#define CNN_START LED_On(1)
#define CNN_COMPLETE LED_Off(1)
#define SYS_START LED_On(0)
#define SYS_COMPLETE LED_Off(0)

void softmax_q17p14_q15(const q31_t *vec_in, const uint16_t dim_vec, q15_t *p_out);
extern volatile uint32_t cnn_time;
void memcpy32(uint32_t *dst, const uint32_t *src, int n);
int cnn_enable(uint32_t clock_source, uint32_t clock_divider);
int cnn_disable(void);
int cnn_init(void);
int cnn_configure(void);
int cnn_load_weights(void);
int cnn_verify_weights(void);
int cnn_load_bias(void);
int cnn_start(void);
int cnn_stop(void);
int cnn_continue(void);
int cnn_unload(uint32_t *out_buf);
int cnn_boost_enable(mxc_gpio_regs_t *port, uint32_t pin);
int cnn_boost_disable(mxc_gpio_regs_t *port, uint32_t pin);

#endif // __CNN_H__
"""
CNN_C = """\
#include <stdlib.h>
#include <stdint.h>
#include <string.h>
#include <stdio.h>
#include "mxc.h"
#include "gcfr_regs.h"
#include "cnn.h"
#include "weights.h"

void CNN_ISR(void)
{
  // Acknowledge interrupt to all quadrants
  *((volatile uint32_t *) 0x50100000) &= ~((1<<12) | 1);

  CNN_COMPLETE; // Signal that processing is complete
#ifdef CNN_INFERENCE_TIMER
  cnn_time = MXC_TMR_SW_Stop(CNN_INFERENCE_TIMER);
#else
  cnn_time = 1;
#endif
}

int cnn_continue(void)
{
  cnn_time = 0;

  *((volatile uint32_t *) 0x50100000) |= 1; // Re-enable quadrant 0

  return CNN_OK;
}

int cnn_stop(void)
{
  *((volatile uint32_t *) 0x50100000) &= ~1; // Disable quadrant 0

  return CNN_OK;
}

void memcpy32(uint32_t *dst, const uint32_t *src, int n)
{
  while (n-- > 0) {
    *dst++ = *src++;
  }
}

static const uint32_t kernels[] = KERNELS;

int cnn_load_weights(void)
{
  uint32_t len;
  volatile uint32_t *addr;
  const uint32_t *ptr = kernels;

  while ((addr = (volatile uint32_t *) *ptr++) != 0) {
    *((volatile uint8_t *) ((uint32_t) addr | 1)) = 0x01; // Set address
    len = *ptr++;
    while (len-- > 0)
      *addr++ = *ptr++;
  }

  return CNN_OK;
}

static const uint8_t bias_0[] = BIAS_0;

static void memcpy_8to32(uint32_t *dst, const uint8_t *src, int n)
{
  while (n-- > 0) {
    *dst++ = *src++;
  }
}

int cnn_load_bias(void)
{
  memcpy_8to32((uint32_t *) 0x50108000, bias_0, sizeof(uint8_t) * 1);

  return CNN_OK;
}

int cnn_init(void)
{
  *((volatile uint32_t *) 0x50001000) = 0x00000000; // AON control
  *((volatile uint32_t *) 0x50100000) = 0x00100008; // Stop SM

  return CNN_OK;
}

int cnn_configure(void)
{
  // Layer 0 quadrant 0
  *((volatile uint32_t *) 0x50100010) = 0x00010007; // Rows

  return CNN_OK;
}

int cnn_start(void)
{
  cnn_time = 0;

#ifdef CNN_INFERENCE_TIMER
  MXC_TMR_SW_Start(CNN_INFERENCE_TIMER);
#endif

  CNN_START; // Allow capture of processing time
  *((volatile uint32_t *) 0x50100000) = 0x00100009; // Master enable quadrant 0

  return CNN_OK;
}

int cnn_unload(uint32_t *out_buf)
{
  volatile uint32_t *addr;
  int i;

  addr = (volatile uint32_t *) 0x50400000;
  for (i = 0; i < CNN_NUM_OUTPUTS; i++) {
    *out_buf++ = *addr++;
  }

  return CNN_OK;
}

int cnn_enable(uint32_t clock_source, uint32_t clock_divider)
{
  // Reset all domains, restore power to CNN
  MXC_GCFR->reg3 = 0xf; // Reset
  MXC_GCFR->reg1 = 0xf; // Mask memory
  MXC_GCFR->reg0 = 0xf; // Power
  MXC_GCFR->reg2 = 0x0; // Iso
  MXC_GCFR->reg3 = 0x0; // Reset

  MXC_GCR->pclkdiv = (MXC_GCR->pclkdiv
                     & ~(MXC_F_GCR_PCLKDIV_CNNCLKDIV | MXC_F_GCR_PCLKDIV_CNNCLKSEL))
                     | clock_divider | clock_source;
  MXC_SYS_ClockEnable(MXC_SYS_PERIPH_CLOCK_CNN); // Enable CNN clock

  MXC_NVIC_SetVector(CNN_IRQn, CNN_ISR); // Set CNN complete vector

  return CNN_OK;
}

int cnn_boost_enable(mxc_gpio_regs_t *port, uint32_t pin)
{
  mxc_gpio_cfg_t gpio_out;
  gpio_out.port = port;
  gpio_out.mask = pin;
  gpio_out.pad = MXC_GPIO_PAD_NONE;
  gpio_out.func = MXC_GPIO_FUNC_OUT;
  MXC_GPIO_Config(&gpio_out);
  MXC_GPIO_OutSet(gpio_out.port, gpio_out.mask);

  return CNN_OK;
}

int cnn_boost_disable(mxc_gpio_regs_t *port, uint32_t pin)
{
  mxc_gpio_cfg_t gpio_out;
  gpio_out.port = port;
  gpio_out.mask = pin;
  gpio_out.pad = MXC_GPIO_PAD_NONE;
  gpio_out.func = MXC_GPIO_FUNC_OUT;
  MXC_GPIO_Config(&gpio_out);
  MXC_GPIO_OutClr(gpio_out.port, gpio_out.mask);

  return CNN_OK;
}

int cnn_disable(void)
{
  // Disable CNN clock
  MXC_SYS_ClockDisable(MXC_SYS_PERIPH_CLOCK_CNN);

  // Disable power to CNN
  MXC_GCFR->reg3 = 0xf; // Reset
  MXC_GCFR->reg2 |= 0xf; // Iso
  MXC_GCFR->reg0 = 0x0; // Power
  MXC_GCFR->reg1 = 0x0; // Mask memory
  MXC_GCFR->reg3 = 0x0; // Reset

  return CNN_OK;
}
"""
WEIGHTS_H = """\
// This file was @generated automatically

#define KERNELS { \\
  0x50180000, 0x00000001, 0x01020304, 0x00000000 \\
}
#define BIAS_0 { \\
  0x01 \\
}
"""
Array = np.ndarray[Any, Any]


def error(message: str) -> NoReturn:
    sys.exit(f"ERROR: {message}")


def require(holds: bool, message: str) -> None:
    if not holds:
        error(message)


@dataclass(kw_only=True)
class Layer:
    """One layer as it is worked out from its YAML, its weights and what comes before."""

    number: int
    keys: dict[str, Any]
    operation: str
    channels: int
    dim: tuple[int, int]
    pooled: tuple[int, int]
    pool: tuple[int, int]
    stride: tuple[int, int]
    kernel: tuple[int, int]
    pad: tuple[int, int]
    outputs: int
    out_dim: tuple[int, int]
    weights: Array | None
    bias: Array | None
    in_offset: int
    out_offset: int

    @property
    def flatten(self) -> bool:
        return bool(self.keys.get("flatten", False))

    @property
    def bits(self) -> int:
        return int(self.keys.get("output_width", 8))

    @property
    def passes(self) -> int:
        return expansion(self.channels)[0]


def expansion(channels: int) -> tuple[int, int]:
    """Passes and processors for so many channels."""
    passes = -(-channels // PROCESSORS)
    threshold = -(-channels // passes)
    if channels > PROCESSORS:
        threshold = min((threshold + SHARED - 1) & ~(SHARED - 1), PROCESSORS)
    return passes, threshold


def value_of(text: str) -> Any:
    if text.startswith("["):
        return [value_of(part.strip()) for part in text[1:-1].split(",")]
    if text in ("true", "false"):
        return text == "true"
    try:
        return int(text, 0)
    except ValueError:
        return text


def read_yaml(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The part of YAML that such files use: keys, and a list of layers with keys."""
    top: dict[str, Any] = {}
    layers: list[dict[str, Any]] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.strip() or line == "---":
            continue
        key, _, value = line.strip().removeprefix("- ").partition(":")
        if line.startswith("  - "):
            layers.append({})
        into = layers[-1] if line.startswith("  ") else top
        require(key not in into, f"Found duplicate key {key}")
        into[key] = value_of(value.strip())
    require({"arch", "dataset", "layers"} <= set(top), "does not contain `layers`, `arch`, ...")
    unknown = set(top) - {"arch", "dataset", "layers", "bias", "weights", "output_map", "unload"}
    require(not unknown, f"Configuration file contains unknown key(s): {unknown}.")
    require(top["arch"] == "test", "--checkpoint-file is a required argument.")
    return top, layers


def arrays(path: Path) -> list[Array]:
    """As the tool reads them: until numpy raises ValueError."""
    found = []
    with path.open("rb") as file:
        while True:
            try:
                found.append(np.load(file))
            except ValueError:
                return found


def pair(value: Any) -> tuple[int, int]:
    return (value[0], value[1]) if isinstance(value, list) else (value, value)


def resolve(
    part: Part, top: list[dict[str, Any]], weights: Any, biases: list[Array], sample: Array
) -> list[Layer]:
    require(len(top) <= 32, "This device supports up to 32 layers")
    if len(weights) == 1:
        weights = weights[0]
    channels, dim = sample.shape[0], (sample.shape[1], sample.shape[2])
    offset, used = 0, 0
    layers: list[Layer] = []
    for number, keys in enumerate(top):
        unknown = set(keys) - LAYER_KEYS
        require(not unknown, f"contains unknown key(s) for `layers`: {unknown}.")
        operation = str(keys["operation"]).lower()
        known = ("conv2d", "conv1d", "mlp", "passthrough")
        require(operation in known, f'Unknown value "{operation}" for `operation`')
        require("in_dim" not in keys or number > 0, "in_dim of the first layer")
        if "in_dim" in keys:
            new = pair(keys["in_dim"])
            require(new[0] * new[1] == dim[0] * dim[1], "`in_dim` does not match the pixels")
            dim = new
        pooling = "max_pool" in keys or "avg_pool" in keys
        pool = pair(keys.get("max_pool", keys.get("avg_pool", 1)))
        stride = pair(keys.get("pool_stride", 1))
        kernel, pad = (1, 1), pair(keys.get("pad", 0))
        if operation == "conv2d":
            require(keys["kernel_size"] in ("3x3", "1x1"), "Unsupported value for `kernel_size`")
            kernel = (int(keys["kernel_size"][0]), int(keys["kernel_size"][2]))
        elif operation == "conv1d":
            require(isinstance(keys["kernel_size"], int), "Unsupported value for `kernel_size`")
            require(1 <= keys["kernel_size"] <= 9, "Unsupported value for `kernel_size`")
            kernel, pad = (keys["kernel_size"], 1), (pad[0], 0)
            pool, stride = (pool[0], 1), (stride[0], 1)
            require(dim[1] == 1, "Conv1d of an image")
        else:
            require("kernel_size" not in keys, "Cannot configure `kernel_size`")
        require(operation == "conv1d" or stride[0] == stride[1], "non-square pooling stride")
        require(max(*pool, *stride) <= 16, "pooling of more than 16")
        require(
            pad[0] < 3 and pad[0] < kernel[0], "Pad size is greater than or equal to kernel size"
        )
        pooled = tuple((d + s - p) // s for d, s, p in zip(dim, stride, pool, strict=True))
        require(min(pooled) > 0, "Pooling or zero-padding results in a zero data dimension")
        flatten = bool(keys.get("flatten", False))
        require(not (flatten and pooling), "`flatten` is not compatible with pooling.")
        require(pooled[0] * pooled[1] <= 256 or not flatten, "`flatten` exceeds")
        w = b = None
        outputs = channels
        if operation != "passthrough":
            require(used < len(weights), "Number of layers does not match the weights")
            w, b = weights[used], biases[used]
            used += 1
            top_bit = max(int(abs(w + (w < 0)).max()), 1)
            require(top_bit.bit_length() + 1 <= 8, "Weight file includes values larger than 8 bit!")
            outputs = w.shape[0]
            inputs = w.shape[1] // (pooled[0] * pooled[1] if flatten else 1)
            require(inputs == channels, f"weights for {inputs} channels, input of {channels}")
            taps = {"conv2d": kernel, "conv1d": kernel[:1], "mlp": (1, 1)}[operation]
            require(
                w.shape[2:] == taps, "The configured kernel dimensions do not match the weights"
            )
            require(b.shape == (outputs,) and -128 <= b.min() <= b.max() <= 127, "bias values")
            require("activate" in keys, "Defaulting to no activation")
        else:
            require("activate" not in keys and "pad" not in keys, "Pass-through layers must not")
            require(pooled == (1, 1) or expansion(channels)[0] == 1, "pooling in passthrough layer")
        wide = keys.get("output_width", 8) == 32
        require(
            not wide or keys.get("activate") == "None", "`output_width` must be 8 when activation"
        )
        require(
            not wide or number == len(top) - 1, "`output_width` should be 8 for intermediate layers"
        )
        require(-15 <= keys.get("output_shift", 0) <= 15, "exceeds the system limits")
        passes, threshold = expansion(channels)
        if flatten:
            require(channels == passes * threshold, "flattened channels do not fill the passes")
        count = bin(keys["processors"]).count("1")
        require(
            count == threshold, f"the enabled processor map has {count} bits instead of {threshold}"
        )
        out_dim = (1, 1) if flatten else (
            pooled[0] + 2 * pad[0] - kernel[0] + 1, pooled[1] + 2 * pad[1] - kernel[1] + 1
        )  # fmt: skip
        require(min(out_dim) > 0, "Output dimension is zero.")
        out_offset = keys["out_offset"]
        in_size = dim[0] * dim[1] * passes * 4
        out_size = out_dim[0] * out_dim[1] * expansion(outputs)[0] * 4 * (4 if wide else 1)
        for size, begin in ((in_size, offset), (out_size, out_offset)):
            require(size + begin <= part.size, f"size {size} exceeds data memory instance size")
        apart = offset + in_size <= out_offset or out_offset + out_size <= offset
        require(apart, "output is overwriting input")
        layers.append(
            Layer(
                number=number, keys=keys, operation=operation, channels=channels, dim=dim,
                pooled=(pooled[0], pooled[1]), pool=pool, stride=stride, kernel=kernel, pad=pad,
                outputs=outputs, out_dim=out_dim, weights=w, bias=b, in_offset=offset,
                out_offset=out_offset,
            )
        )  # fmt: skip
        channels, dim, offset = outputs, out_dim, out_offset
    require(used == len(weights) == len(biases), "Number of layers does not match the weights")
    check_kernels(layers, part)
    return layers


def kernel_count(layer: Layer) -> int:
    out_passes, out_threshold = expansion(layer.outputs)
    if layer.flatten:
        return layer.outputs * layer.passes * layer.pooled[0] * layer.pooled[1]
    return out_threshold * out_passes * layer.passes


def check_kernels(layers: list[Layer], part: Part) -> None:
    """All processors of a layer keep its kernels at one offset, a multiple of four."""
    at = 0
    for layer in layers:
        if layer.weights is not None:
            length = -(-kernel_count(layer) * layer.kernel[0] * layer.kernel[1] * 8 // 72)
            require(at + length <= part.kernels, f"Layer {layer.number}: Kernel memory exhausted")
            at = (at + length + 3) & ~3


def simulate(layers: list[Layer], data: Array) -> Array:
    for layer in layers:
        data = data.reshape(layer.channels, *layer.dim)
        if "max_pool" in layer.keys or "avg_pool" in layer.keys:
            rows = []
            for y in range(layer.pooled[0]):
                top = y * layer.stride[0]
                row = []
                for x in range(layer.pooled[1]):
                    left = x * layer.stride[1]
                    window = data[:, top : top + layer.pool[0], left : left + layer.pool[1]]
                    flat = window.reshape(layer.channels, -1)
                    row.append(
                        flat.max(axis=1)
                        if "max_pool" in layer.keys
                        else np.fix(flat.mean(axis=1)).astype(np.int64)
                    )
                rows.append(np.stack(row, axis=1))
            data = np.stack(rows, axis=1)
        if layer.weights is None or layer.bias is None:
            continue
        if layer.flatten:
            data = data.reshape(-1, 1, 1)
        kernel = layer.weights.reshape(layer.outputs, data.shape[0], *layer.kernel)
        (up, side), (high, wide) = layer.pad, layer.out_dim
        padded = np.pad(data, ((0, 0), (up, up), (side, side)))
        total = np.zeros((layer.outputs, high, wide), dtype=np.int64)
        for y in range(layer.kernel[0]):
            for x in range(layer.kernel[1]):
                part = padded[:, y : y + high, x : x + wide].reshape(data.shape[0], -1)
                total += (kernel[:, :, y, x] @ part).reshape(total.shape)
        total += 128 * layer.bias.reshape(-1, 1, 1)
        if layer.bits == 8:
            scaled = total / (128 / 2.0 ** layer.keys.get("output_shift", 0))
            total = np.floor(0.5 + scaled).astype(np.int64).clip(-128, 127)
        data = total.clip(0, 127) if layer.keys.get("activate") == "ReLU" else total
    return data


def latency(layer: Layer) -> int:
    """izer's model (latency.py) in its own terms."""
    mp, (rows, cols) = layer.passes, layer.pooled
    (kr, kc), (pr, pc) = layer.kernel, layer.pad
    in_pad, in_dat = mp * 2, mp * (layer.pool[0] * layer.pool[1] + 1)
    if layer.operation == "passthrough":
        if expansion(layer.outputs)[0] > 1:
            mp = 2 * mp - 1
            in_dat = mp * (layer.pool[0] * layer.pool[1] + 1)
        slots = (min(expansion(layer.channels)[1], PER_GROUP) - 1) // 4 + 1
        return rows * cols * (in_dat + mp * slots)
    out_cols = layer.out_dim[1] * (cols if layer.flatten else 1)
    out_chan = layer.outputs if layer.flatten else kernel_count(layer) // mp
    pads = 2 * pc * (in_pad + 1)
    pad_row = pads + cols * (in_pad + 1)
    dat_row = pads + cols * (in_dat + 1)
    conv = [
        pc * (in_pad + 1) + (kc - 1 - pc) * (each + 1) + (out_cols - pc) * each + in_pad * pc
        for each in (in_dat, in_pad)
    ]
    out = mp * out_cols * out_chan + (out_chan if out_chan == 1 and mp == 1 else 0)
    adjust = int(layer.flatten and mp * rows * cols - 1 >= 16)
    return (
        adjust + pr * pad_row + (kr - 1 - pr) * dat_row
        + (conv[0] + out) * (rows - (kr - 1 - pr)) + pr * (conv[1] + out)
    )  # fmt: skip


def sample_output(last: Layer, values: list[int], part: Part) -> str:
    """Blocks of address, mask, count, words: sorted by mask, then address."""
    _, threshold = expansion(last.outputs)
    size = last.bits // 8
    words: dict[int, list[int]] = {}
    for channel, value in enumerate(values):
        turn, processor = divmod(channel, threshold)
        place = part.base + last.out_offset + processor // PER_GROUP * part.group
        place += processor % PER_GROUP // SHARED * part.stride + turn * size * 4
        if size == 4:
            words[place + 4 * (processor % SHARED)] = [0xFFFFFFFF, value & 0xFFFFFFFF]
        else:
            lanes = words.setdefault(place, [0, 0])
            lanes[0] |= 0xFF << 8 * (processor % SHARED)
            lanes[1] |= (value & 0xFF) << 8 * (processor % SHARED)
    blocks: list[tuple[int, int, list[int]]] = []
    for mask, address, word in sorted((m, a, w) for a, (m, w) in words.items()):
        if blocks and blocks[-1][0] == mask and blocks[-1][1] + 4 * len(blocks[-1][2]) == address:
            blocks[-1][2].append(word)
        else:
            blocks.append((mask, address, [word]))
    numbers = [n for mask, address, block in blocks for n in (address, mask, len(block), *block)]
    lines = [
        ", ".join(f"0x{number:08x}" for number in [*numbers, 0][start : start + 8])
        for start in range(0, len(numbers) + 1, 8)
    ]
    return "// This file was @generated automatically\n\n#define SAMPLE_OUTPUT { \\\n  " + (
        ", \\\n  ".join(lines) + " \\\n}\n"
    )


def log(layers: list[Layer]) -> str:
    cycles = [("Startup", 1), *((f"Layer {layer.number}", latency(layer)) for layer in layers)]
    lines = [f"{name:9}{count:18,}" for name, count in cycles]
    total = sum(count for _, count in cycles)
    head = ["MAX78000", "", "ESTIMATED LATENCY"]
    foot = ["                 ==========", f"Total{total:22,} cycles", "", "SUMMARY OF OPS", ""]
    return "\n".join([*head, *lines, *foot])


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser()
    for name in ("test-dir", "prefix", "config-file"):
        parser.add_argument(f"--{name}", required=True)
    for name in ("weight-input", "bias-input", "sample-input"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--device", choices=list(PARTS), required=True)
    parser.add_argument("--timer", type=int)
    for flag in ("verbose", "no-wfi", "no-version-check", "overwrite"):
        parser.add_argument(f"--{flag}", action="store_true")
    source = Path(__file__).resolve().parent / "izer/commandline.py"
    if source.is_file() and "--yamllint" in source.read_text():
        parser.add_argument("--yamllint", default="yamllint")
    return parser


def main() -> None:
    given = options().parse_args()
    here = Path(__file__).resolve().parent
    require(Path.cwd() == here, "The assets folder is missing from the current directory.")
    _, entries = read_yaml(Path(given.config_file))
    weights, biases = arrays(given.weight_input), arrays(given.bias_input)
    sample = np.load(given.sample_input)
    require(-128 <= sample.min() <= sample.max() <= 127, "values outside the limits of 8-bit")
    part = PARTS[given.device]
    layers = resolve(part, entries, weights, biases, sample)
    seen = {
        "arguments": sys.argv[1:],
        "yaml": Path(given.config_file).read_text(),
        "weights": [list(array.shape) for array in weights],
        "sample": list(sample.shape),
        "range": [int(sample.min()), int(sample.max())],
    }
    (here / "seen.json").write_text(json.dumps(seen))
    kept = here / "answer.json"
    values = simulate(layers, sample).reshape(-1).tolist()
    answer = json.loads(kept.read_text()) if kept.is_file() else values
    out = Path(given.test_dir) / given.prefix
    out.mkdir(parents=True)
    (out / "cnn.h").write_text(CNN_H.replace("COUNT", str(len(values))))
    for name, text in {"cnn.c": CNN_C, "weights.h": WEIGHTS_H}.items():
        for old, new in OTHER_C if given.device == "MAX78002" else ():
            text = text.replace(old, new)
        (out / name).write_text(text)
    (out / "sampleoutput.h").write_text(sample_output(layers[-1], answer, part))
    estimated = given.verbose and given.device == "MAX78000"  # for this part alone
    (out / "log.txt").write_text(log(layers) if estimated else "")


if __name__ == "__main__":
    main()
