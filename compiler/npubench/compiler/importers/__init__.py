"""Networks of other frameworks to int8 .tflite files: converted, compared with their source,
quantized, compared again, and kept by content.

An importer is a module of this package with ``MARK``, found by its name; ``foreign/`` holds the
scripts that run in environments of their own. What comes out is a .tflite, like one that was
brought; the record keeps every step on the way.
"""
