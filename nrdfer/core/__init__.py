"""What every other package may use: errors, emotions, text from outside, paths, atomic files, hashing, processes."""
