"""Traces as pictures: decimated to what a pixel can show, without a plotting library.

Reads captures and marks; judges nothing.
"""
