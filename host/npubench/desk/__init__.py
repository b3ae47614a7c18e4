"""What is done at the machine that a board hangs on: flashing, resets, recording its instrument.

``hands`` is the process over there, ``Desk`` its client here; between them go frames over its
standard input and output, through ssh where the machine is another one.
"""
