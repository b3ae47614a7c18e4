"""What an instrument is to the rest: its interface, what it claims, how the bench names it.

No wire and no vendor: these lie in ``wire`` and ``instruments``.
"""
