"""A stand-in for ADI's ai8xize.py: it notes its arguments, checks what it was handed, and writes a
project in the tool's format. Its accelerator computes nothing; its known answer is `answer.json`
beside it when there is one."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

CNN_H = """\
#ifndef __CNN_H__
#define __CNN_H__
#include <stdint.h>
typedef int32_t q31_t;
#define CNN_FAIL 0
#define CNN_OK 1
extern volatile uint32_t cnn_time;
void CNN_ISR(void);
int cnn_enable(uint32_t clock_source, uint32_t clock_divider);
int cnn_disable(void);
int cnn_init(void);
int cnn_configure(void);
int cnn_load_weights(void);
int cnn_load_bias(void);
int cnn_start(void);
int cnn_unload(uint32_t *out_buf);
#endif
"""
CNN_C = """\
#include <stdint.h>
#include "mxc.h"
#include "gcfr_regs.h"
#include "cnn.h"
#include "weights.h"
static const uint32_t kernels[] = KERNELS;
void CNN_ISR(void) { *((volatile uint32_t *) 0x50100000) &= ~((1<<12) | 1); }
int cnn_enable(uint32_t clock_source, uint32_t clock_divider)
{
  MXC_GCFR->reg3 = 0xf;
  MXC_GCFR->reg1 = 0xf;
  MXC_GCFR->reg0 = 0xf;
  MXC_GCFR->reg2 = 0x0;
  MXC_GCFR->reg3 = 0x0;
  MXC_GCR->pclkdiv = (MXC_GCR->pclkdiv & ~(MXC_F_GCR_PCLKDIV_CNNCLKDIV
    | MXC_F_GCR_PCLKDIV_CNNCLKSEL)) | clock_divider | clock_source;
  MXC_SYS_ClockEnable(MXC_SYS_PERIPH_CLOCK_CNN);
  MXC_NVIC_SetVector(CNN_IRQn, CNN_ISR);
  return CNN_OK;
}
int cnn_disable(void) { MXC_SYS_ClockDisable(MXC_SYS_PERIPH_CLOCK_CNN); return CNN_OK; }
int cnn_init(void) { *((volatile uint32_t *) 0x50001000) = 0; return CNN_OK; }
int cnn_load_weights(void) { *((volatile uint32_t *) 0x50180000) = kernels[0]; return CNN_OK; }
int cnn_load_bias(void) { return CNN_OK; }
int cnn_configure(void) { *((volatile uint32_t *) 0x50100010) = 0x00010007; return CNN_OK; }
int cnn_start(void) { *((volatile uint32_t *) 0x50100000) = 0x00100009; return CNN_OK; }
int cnn_unload(uint32_t *out_buf)
{
  volatile uint32_t *addr = (volatile uint32_t *) 0x50400000;
  for (int i = 0; i < COUNT; i++) { *out_buf++ = *addr++; }
  return CNN_OK;
}
"""
LOG = """\
Arranging weights... 100%
ESTIMATED LATENCY
-----------------
Startup                          1
layer0                       8,189
layer1                       3,049
                        ==========
Total                       11,239 cycles
"""


def arrays(path: Path) -> list[np.ndarray]:  # type: ignore[type-arg]
    found = []
    with path.open("rb") as file:
        while file.peek(1):
            found.append(np.load(file, allow_pickle=False))
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in (
        "test-dir", "prefix", "config-file", "weight-input", "bias-input", "sample-input",
        "device", "timer", "yamllint",
    ):  # fmt: skip
        parser.add_argument(f"--{name}", required=True)
    for flag in ("verbose", "no-wfi", "no-version-check", "overwrite"):
        parser.add_argument(f"--{flag}", action="store_true", required=True)
    given = parser.parse_args()
    here = Path(__file__).resolve().parent
    if Path.cwd() != here:
        sys.exit("run it from its checkout: it needs assets/")
    weights = arrays(Path(given.weight_input))
    biases = arrays(Path(given.bias_input))
    (sample,) = arrays(Path(given.sample_input))
    assert len(weights) == len(biases)
    assert {array.dtype for array in (*weights, *biases, sample)} == {np.dtype(np.int64)}
    seen = {
        "arguments": sys.argv[1:],
        "yaml": Path(given.config_file).read_text(),
        "weights": [list(array.shape) for array in weights],
        "sample": list(sample.shape),
        "range": [int(sample.min()), int(sample.max())],
    }
    (here / "seen.json").write_text(json.dumps(seen))
    kept = here / "answer.json"
    count = weights[-1].shape[0]
    answer = json.loads(kept.read_text()) if kept.is_file() else list(range(count))
    words = [f"0x{value & 0xFFFFFFFF:08x}" for value in answer]
    out = Path(given.test_dir) / given.prefix
    out.mkdir(parents=True)
    (out / "cnn.h").write_text(CNN_H)
    (out / "cnn.c").write_text(CNN_C.replace("COUNT", str(count)))
    (out / "weights.h").write_text("#define KERNELS { 0x01020304 }\n")
    (out / "sampleoutput.h").write_text(
        "// Expected output\n#define SAMPLE_OUTPUT { \\\n  0x50400000, // address \\\n"
        f"  0x{len(words):08x}, // count \\\n  {', '.join(words)}, \\\n"
        "  0x00000000 /* End marker */ }\n"
    )
    (out / "log.txt").write_text(LOG)


if __name__ == "__main__":
    main()
