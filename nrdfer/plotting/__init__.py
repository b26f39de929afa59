"""The style and the colours that all figures share."""
