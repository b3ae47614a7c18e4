"""Statistics on arrays of numbers; nothing here knows what a run is."""
