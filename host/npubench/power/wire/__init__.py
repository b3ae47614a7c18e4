"""Bytes of instruments: formats and checksums that a driver and its simulator share, and the line.

What a sample means to a measurement is not known here.
"""
