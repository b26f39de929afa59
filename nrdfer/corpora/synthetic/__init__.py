"""The rendered corpus: expressive faces with planted noise, in the layouts of AFEW and DFEW.

It lets everyone run everything without a licence, and it knows the truth about every frame. Nothing measured on it
says anything about people.
"""
