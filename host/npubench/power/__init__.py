"""Power instruments and what is made of their samples.

From the ground up: ``source`` is what an instrument is to the rest, ``wire`` the formats that
drivers and simulators share, ``energy`` turns samples into joules, ``simulators`` speak the wire
protocols for a dry run, ``instruments`` holds the drivers alone, each found by its module's name,
``capture`` streams to disk, ``plot`` shows it.
"""
