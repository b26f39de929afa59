"""Videos: finding ffmpeg, probing a file, decoding its frames, encoding new ones.

Faces, crops and corpora do not belong here.
"""
