"""The command line: parses, calls one function of a room, renders what it returns.

Holds no knowledge of its own: what a verb does can be done from Python without it.
"""
