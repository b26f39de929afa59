"""Faces: the RetinaFace detector, target tracking, five-point alignment and contact sheets.

Decoding videos (`nrdfer.video`), brightening crops (`nrdfer.enhance`) and walking over a corpus
(`nrdfer.preprocess`) do not belong here.
"""
