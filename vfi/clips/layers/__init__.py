"""Layered pictures: OpenRaster and Photoshop files as layers with names, and OpenRaster out.

Knows nothing of sheets, or of what layers are for.
"""
