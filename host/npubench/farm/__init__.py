"""Work on many machines or processes: what is sent, who does it, what comes back, checked.

Scheduling is done by engines that exist: the standard library's process pool, Dask distributed.
"""
