"""Frames made one by one for another program: the contract of its back ends, in this process or in another.

Everything here but `engine` and `server` imports without torch.
"""
