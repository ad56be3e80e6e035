"""Timelines of video editors: which instant of its media every frame of a clip shows, and the same edit with new media.

Each format is read exactly, and edited in the bytes of its file, so that everything else in it stays. Knows nothing of
pictures, models or how media is made.
"""
