"""A contest of interpolators, each in its own process, taking turns on the same clip."""
