"""The clip doctor: finds frames that generators, cutters and encoders broke, and mends them.

One idea a module: `measures` sees a clip, others judge what was seen, `mend` acts. Knows nothing of files or models.
"""
