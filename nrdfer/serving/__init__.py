"""Serving: trained networks behind MLflow's pyfunc interface, for crops and for videos, and the web server.

Which files a version holds belongs to ``nrdfer.publish``.
"""
