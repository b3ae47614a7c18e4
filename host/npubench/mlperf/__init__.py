"""Firmware of MLPerf Tiny that somebody else built, driven and measured in its own dialect: the
benchmark's runner, for any device that speaks the base protocol.
"""
