"""Generated pictures and tables of README and docs/, one page a module: ``make docs``."""
