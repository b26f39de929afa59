"""The documentation's site: pages of docs/ and what they link to, navigation, API reference, and a check of the result.

`devtools.docs_site.hook` is what MkDocs calls; ``make docs`` builds the site (``scripts.docs.site``). What the
pages say belongs to docs/ and the docstrings.
"""
