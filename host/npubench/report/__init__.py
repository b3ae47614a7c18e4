"""Runs made readable: tables for a terminal, one offline page for a browser, Markdown for docs.

Measures and decides nothing: what a run is worth stands in its record.
"""
