"""What other programs need in order to start ``vfi``: entries and scripts, and where each editor looks for them."""
