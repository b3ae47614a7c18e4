"""Arm Ethos-U55: instruction set, functional core, timing core and device shell.

Written from public register facts and by comparison with TFLite's arithmetic; no Arm specification
of the arithmetic was used, so agreement with TFLM is evidence about streams, not proof about
silicon.
"""
