"""The generated C, played without a processor: what it waits for and what it tests must hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from npubench.core.errors import ResultError
from npubench.npu.max7800x.accelerator import Accelerator
from npubench.npu.max7800x.replay import Generated

INIT = """int cnn_init(void)
{{
  *((volatile uint32_t *) 0x5010000c) = 0x00000001; // Data SRAM BIST
  while ((*((volatile uint32_t *) 0x5010000c) & 0x8040000) != 0x8040000); // Wait for BIST
  if ((*((volatile uint32_t *) 0x5010000c) & 0x{mask:08x}) != 0x00000000) return CNN_FAIL; // Error
  return CNN_OK;
}}
"""


@pytest.mark.parametrize(
    ("mask", "why"),
    [
        (0x4000, "has no cnn_load_weights"),  # it went on to the next function
        (0x40000, "the generated code would give up: if"),
    ],
    ids=["no-error", "error"],
)
def test_the_memories_own_test_is_read(tmp_path: Path, mask: int, why: str) -> None:
    (tmp_path / "cnn.c").write_text(INIT.format(mask=mask))
    (tmp_path / "main.c").write_text("")
    with pytest.raises(ResultError, match=why):
        Generated(tmp_path).play(Accelerator("MAX78000"))
