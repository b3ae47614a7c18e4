"""A power trace as a script: base64 of compressed planes of bytes, since a page that was opened
from a folder may load scripts and nothing else."""

from __future__ import annotations

import json

from npubench.report.trace import Trace


def trace_script(trace: Trace) -> str:
    """A script that keeps the data by the trace's path, whether the page's code is there or not."""
    head = "(window.npubenchTraces = window.npubenchTraces || {})"
    return f"{head}[{json.dumps(trace.path)}] = {json.dumps(trace.packed())};\n"
