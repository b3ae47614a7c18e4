"""One conversation with a board: records, replies and their typed answers, and the client.

Speaks over any transport, a faulty or a replayed one too; does not know what plays the board.
"""
