"""From an instrument to disk, as it comes: streaming, marked sessions, the rig that ties them.

What the samples mean in joules is worked out in ``energy``.
"""
