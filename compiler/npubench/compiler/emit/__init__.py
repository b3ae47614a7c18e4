"""A Plan becomes a PlatformIO project: rendered templates beside the sources that they call.

Decides nothing about the network; equal inputs give equal bytes.
"""
