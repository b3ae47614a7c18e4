"""What plays a board on this computer: QEMU, a host process, board models, the NPU beside them.

Starts and ends them and hands out a transport; what is said over it is the wire's affair.
"""
