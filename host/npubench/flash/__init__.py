"""An image onto a physical board: which one is plugged in, the upload, the proof that it answers.

Takes board, image, port and probe; what is built, and why, is bench's affair.
"""
