"""Building blocks shared by the networks, in plain PyTorch: sampling, splatting, correlation."""
