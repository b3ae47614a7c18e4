"""Which operators run, in which element types, on which engine: in general, and of one network.

The CPU's answer comes from its lowerings themselves, an NPU's from what its compiler says of itself
(module ``listed`` of its backend). Nothing here is a list by hand.
"""
