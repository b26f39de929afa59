"""Generated pictures and tables of README and docs/, one module per page: ``make figures``."""
