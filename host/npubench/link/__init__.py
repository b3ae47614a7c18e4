"""Talking to a board: transports, the records on the wire, the client, emulators as targets."""
