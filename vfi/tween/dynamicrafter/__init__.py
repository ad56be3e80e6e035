"""DynamiCrafter and ToonCrafter: sixteen frames from a start picture, an end picture and a text.

Xing et al., "DynamiCrafter: Animating Open-domain Images with Video Diffusion Priors", ECCV 2024; Xing et al., "ToonCrafter:
Generative Cartoon Interpolation", ACM Transactions on Graphics 43(6), 2024. Both share one UNet, image projector and sampler;
ToonCrafter's decoder looks at both pictures.
"""
