"""From an instrument to disk, as it comes."""
