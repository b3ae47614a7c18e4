"""Models of NPUs: facts of the chips, what they compute, how long that should take.

What compiles for an NPU lies in the compiler's backends; what starts a model, in emulators.
"""
