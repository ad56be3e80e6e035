"""Models against ground truth: sets of frames, passes over them, mixes of passes, baselines, and clips that are remade.

What a figure in the documentation, the quality ladder and ``vfi tune`` mean is decided here. Knows nothing of the command.
"""
