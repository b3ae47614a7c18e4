"""From counts of executed instructions to modelled cycles and energy of a part: weights with the
error that held-out images gave. No fitting here (referee/fit.py), and no execution."""
