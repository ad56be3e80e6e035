"""A contest of makers of in-between frames: each in a process of its own, taking turns on the same clip."""
