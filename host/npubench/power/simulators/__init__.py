"""Simulated instruments: they speak the wire protocol over a pty or a socket, and can misbehave.

A driver cannot tell them from the real thing, except that they say so themselves.
"""
