"""The convolutional accelerator of MAX78000 and MAX78002: facts of the chips.

What the backend and a model of the accelerator both need; no scheme and no tool.
"""
