"""Foreign tools on this machine: what is there, in which version, and what is missing.

How a tool is driven lies with whoever needs it.
"""
