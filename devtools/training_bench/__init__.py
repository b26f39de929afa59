"""Parts of the training benchmark: the two loops, their clocks, and further measurements on a GPU."""
