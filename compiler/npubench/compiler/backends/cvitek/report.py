"""What `model_tool --info` says of a compiled network."""

from __future__ import annotations

from npubench.compiler.vendor.adapter import Figure

FIGURES = (
    Figure(name="memory_mib", pattern=r"Need ION Memory Size: \(([\d.]+) MB\)"),
    Figure(name="weights_bytes", pattern=r"^\d+\s+weight\s+\S+\s+(\d+)\s"),
    Figure(name="commands_bytes", pattern=r"^\d+\s+cmdbuf\s+\S+\s+(\d+)\s"),
)
