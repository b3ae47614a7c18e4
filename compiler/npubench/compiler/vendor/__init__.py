"""What the backends of vendors' compilers share: a tool is found, asked its version, run, read.

A vendor's own words and figures are in its backend's package.
"""

from __future__ import annotations

# For plug-ins that were written when this was a module; goes with the next release.
from npubench.compiler.vendor.tool import (
    FoundTool,
    VendorTool,
    find_vendor_tool,
    locate,
    own_folder,
    run_vendor_tool,
)

__all__ = [
    "FoundTool",
    "VendorTool",
    "find_vendor_tool",
    "locate",
    "own_folder",
    "run_vendor_tool",
]
