"""From samples and marks to energy with its uncertainty: pure functions on arrays."""
