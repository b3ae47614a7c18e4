"""Results of MLPerf Tiny submissions, computed again from their raw data.

Reads folders that others published; has no part in a measurement of ours.
"""
