"""What every other room stands on: errors, paths, tools, progress, evidence, stages, formatting.

Knows no board, no network and no instrument.
"""
