"""Referee: firmware images that somebody else built, run on board models: do they answer, are
their outputs the reference model's, what do they execute, and what that means in cycles."""
