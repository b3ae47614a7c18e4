"""A lab: boards at places of a labgrid coordinator, acquired for a command and always released."""
