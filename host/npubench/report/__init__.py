"""Runs made readable: tables for a terminal, one offline page for a browser, Markdown for docs."""
