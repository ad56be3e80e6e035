"""Building blocks that the networks share, in plain PyTorch: sampling, splatting, correlation."""
