"""Parts of ``bench/dfew_full_size.py``: making the tree, building from it, killing the build."""
