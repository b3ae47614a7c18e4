"""Simulated instruments: they speak the wire protocol over a pty or a socket, and can misbehave."""
