"""Is a board what its file says: the checks behind `hardware-verified`, each seen or refused.

Stands above bench, whose parts it uses; a benchmark needs nothing of it.
"""
