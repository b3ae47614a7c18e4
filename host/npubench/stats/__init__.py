"""Statistics on arrays of numbers, each with the source of its method.

Nothing here knows what a run is.
"""
