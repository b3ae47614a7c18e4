"""Backends by module name: each turns a Graph and a Board into a Plan.

A backend is a module here, or an entry point of group ``npubench.backends``, with one function
``compile(graph: Graph, model: bytes, board: Board, flavours) -> Plan``.
"""
