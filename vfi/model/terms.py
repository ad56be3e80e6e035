"""What the licences of published weights allow, in plain words, and where each can be read.

A summary for a person who chooses a model; the licence itself decides. Knows nothing of models.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Terms:
    """Whether a licence allows ``commercial`` use, None if unknown; what it ``says``; the address of its text."""

    commercial: bool | None
    says: str
    url: str


UNKNOWN = Terms(None, "The licence of these weights is not known: ask who made them before any commercial use.", "")


TERMS: dict[str, Terms] = {
    "MIT": Terms(
        True, "Any use, also commercial. Copies of the weights keep the copyright notice.", "https://spdx.org/licenses/MIT.html"
    ),
    "Apache-2.0": Terms(
        True,
        "Any use, also commercial. Copies of the weights come with the licence and name what was changed.",
        "https://spdx.org/licenses/Apache-2.0.html",
    ),
    "CC-BY-NC-4.0": Terms(
        False,
        "No commercial use. Copies of the weights, changed or not, name the authors and the licence.",
        "https://creativecommons.org/licenses/by-nc/4.0/",
    ),
    "CC-BY-NC-SA-4.0": Terms(
        False,
        "No commercial use. Copies of the weights, changed or not, name the authors and stay under this licence.",
        "https://creativecommons.org/licenses/by-nc-sa/4.0/",
    ),
    "MIT AND CC-BY-NC-SA-4.0": Terms(
        False,
        "No commercial use: one part is under CC BY-NC-SA 4.0. Copies of it, changed or not, keep its authors and licence.",
        "https://creativecommons.org/licenses/by-nc-sa/4.0/",
    ),
    "not stated": Terms(
        None,
        "The authors state no licence for these weights: ask them before any commercial use and before you hand them on.",
        "",
    ),
    "LicenseRef-S-Lab-1.0": Terms(
        False,
        "No commercial use without the authors' consent. Copies of the weights keep the copyright notice and the licence.",
        "https://github.com/GSeanCDAT/GIMM-VFI/blob/main/LICENSE",
    ),
    "LicenseRef-Framer-Academic": Terms(
        False,
        "Academic and other non-commercial use only: ask the authors about any commercial use. Stable Video Diffusion, from "
        "which the weights derive, has its own licence.",
        "https://github.com/aim-uofa/Framer#license",
    ),
    "LicenseRef-Stability-AI-Community": Terms(
        False,
        "Research and other non-commercial use. Commercial use has Stability AI's conditions: read them on the page first.",
        "https://huggingface.co/stabilityai/stable-video-diffusion-img2vid-xt",
    ),
    "LicenseRef-OpenRAIL++-M": Terms(
        True,
        "Any use, also commercial, but those that the licence lists as harmful; this goes with copies and derived weights.",
        "https://huggingface.co/stabilityai/stable-diffusion-2/blob/main/LICENSE-MODEL",
    ),
    "LicenseRef-Academic": Terms(
        False,
        "Academic use only. Ask the authors about any commercial use.",
        "https://github.com/sniklaus/sepconv-slomo#license",
    ),
    "LicenseRef-Adobe-Research": Terms(
        False,
        "Non-commercial research only, teaching included. Copies of the weights come with the licence.",
        "https://github.com/sniklaus/revisiting-sepconv/blob/master/LICENSE",
    ),
}
"""The terms of the licences of the catalogue, by SPDX expression."""
