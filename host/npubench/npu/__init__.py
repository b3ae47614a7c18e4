"""Models of NPUs: what they compute, how long their compilers think it takes, how they are driven."""
