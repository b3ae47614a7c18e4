"""Models of NPUs: what they compute, how long that should take, how they are driven."""
