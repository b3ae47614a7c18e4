"""The convolutional accelerator of MAX78000 and MAX78002: facts of the chips, and what it computes.

Written from public facts of ADI's tool and held against the known answers that the tool gives; so
agreement is evidence about what the tool writes and expects, not about silicon. It knows no time.
"""
