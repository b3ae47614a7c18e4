"""The interchange format: bytes that may be hostile become a typed Graph; two files are compared.

Every offset, shape and size is checked before it is believed. What runs a graph is not known here.
"""
