"""Exposure sheets of animators: which drawing every frame of every layer shows, and which in-betweens are wanted.

Each format is read as it is and edited in its own text, so that all else in it stays. Knows nothing of pictures or models.
"""
