"""Sphinx's settings.

Why Sphinx with MyST and Furo, seen on 2026-11-29: MkDocs has had no release since August 2024, and its theme Material is marked inactive."""

from pygments.lexers.special import TextLexer

project = "hostssl"
extensions = ["myst_parser"]
root_doc = "index"
# The anchors that GitHub gives to headings, so that a link works in both places.
myst_heading_anchors = 4
# Terms and what they mean, in the reference.
myst_enable_extensions = ["deflist"]
# A page shows a quotation mark as it was typed: it may be part of a command.
smartquotes = False

html_theme = "furo"
html_title = "hostssl"
html_static_path = ["static"]
html_css_files = ["wide.css"]
# Pictures in `<picture>` elements, which Sphinx passes through.
html_extra_path = ["extra"]
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False
# No footer icons and no edit links: nothing on a page leads to another site by itself.
html_theme_options = {"footer_icons": []}


def setup(app):
    # Drawing the one Mermaid graph would need a script of 3 MB; its source is readable, and a test holds it to the manifests.
    app.add_lexer("mermaid", TextLexer)
