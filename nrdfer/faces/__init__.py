"""Faces: the RetinaFace detector, target tracking, five-point alignment and contact sheets.

Decoding videos (`nrdfer.video`), brightening crops (`nrdfer.enhance`) and walking over a corpus
(`nrdfer.preprocessing.videos`) do not belong here.
"""
