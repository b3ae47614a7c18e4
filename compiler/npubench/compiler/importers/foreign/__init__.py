"""Scripts that run in foreign environments and import nothing of npubench."""
