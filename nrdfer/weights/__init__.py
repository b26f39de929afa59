"""Pretrained weights: what each file is, where it is found, how it is downloaded; models on the hub.

Reading tensors belongs to ``nrdfer.models.state_dict`` and the packages that own the networks.
"""
