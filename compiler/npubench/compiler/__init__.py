"""From a model file to a C project for a board: read, analyse, plan, emit.

Nothing is built, flashed or run here, and a board is only what its file says.
"""
