"""Parts of ``bench/dfew_full_size.py``: building from the tree (`devtools.dfew_tree`), killing the build."""
