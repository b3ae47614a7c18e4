"""Opens a board, whatever it is, and hands it out when it answers; a console and a pty of it.

Chooses between port, emulator, model and process; how each works lies in transport and emulators.
"""
