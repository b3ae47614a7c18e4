"""Results of MLPerf Tiny submissions, computed again from their raw data."""
