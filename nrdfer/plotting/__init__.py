"""Style and colours shared by all figures."""
