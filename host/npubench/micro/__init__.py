"""A fixed suite of operator shapes, its table for each target, and what it predicts."""
