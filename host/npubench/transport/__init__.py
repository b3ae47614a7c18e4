"""Bytes to and from a board, whatever carries them: a serial port, a socket, a pty, a process, ssh.

Knows processes and ports; knows nothing of the protocol that the bytes speak, nor of boards.
"""
