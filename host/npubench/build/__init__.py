"""Projects become images through PlatformIO; images are checked, and their memory has owners.

Knows nothing of boards that answer: what a flashed image does is not seen here.
"""
