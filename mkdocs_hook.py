"""What MkDocs loads; it is here because MkDocs looks for the modules of a hook in the hook's own folder only."""

from devtools.docs_site.hook import on_config, on_files, on_page_markdown

__all__ = ["on_config", "on_files", "on_page_markdown"]
