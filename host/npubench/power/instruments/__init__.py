"""The drivers: each module is one kind of instrument, with a ``DRIVER``, found by its name.

What an instrument is to the rest lies in ``source``; a format that a simulator speaks too, in
``wire``.
"""
