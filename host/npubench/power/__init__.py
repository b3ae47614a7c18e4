"""Power instruments and what is made of their samples.

Each module of this package is one driver, found by its name; the parts that they share lie in the
sub-packages: ``instrument`` (protocol, profiles), ``capture`` (streaming to disk), ``energy`` (from
samples to joules), ``simulators`` (instruments that speak the wire protocol, for a dry run).
"""
