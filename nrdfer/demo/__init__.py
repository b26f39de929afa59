"""The demo: a web page on this machine that predicts a dropped video and shows people, timeline and annotated video.

Nothing leaves the machine, and nothing stays on it. What is predicted belongs to ``nrdfer.predict``; Gradio is imported
by `page` alone.
"""
