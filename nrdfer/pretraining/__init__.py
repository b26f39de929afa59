"""The trainings of the two sample networks that ship with the project."""
