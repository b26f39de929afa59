"""The rendered corpus: expressive faces with planted noise, in the layouts of AFEW and DFEW.

It lets everyone run everything without a licence, and it knows the truth about every frame. Nothing measured on it
says anything about people. Keep here, from the face outwards: `identity` (who), `expression` (what a face
does), `head`, `skin`, `features`, `hair`, `face` (how it looks), `background`, `camera`, `scene` (pictures with
people), `timeline`, `clips` (what happens in a clip), `settings`, `jobs`, `render` (the corpus on disk). Reading
corpora does not belong here: that is the package above.
"""
