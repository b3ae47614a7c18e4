"""What the backends of vendors' compilers share: a tool is found, asked its version, run, read.

A vendor's own words and figures are in its backend's package.
"""
