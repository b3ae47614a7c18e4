"""Runs made readable: an offline site for a browser, tables for a terminal, text for papers.

Measures and decides nothing: what a run is worth stands in its record.
"""
