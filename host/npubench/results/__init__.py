"""A folder of runs that is kept in git for everybody to cite: added, checked, shown as a table.

Stands above bench, which verifies; what a run is, and how it is archived, lies in runs.
"""
