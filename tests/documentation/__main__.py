"""Writes the generated parts of the documents: `python -m tests.documentation`."""

from tests.documentation.pages import PAGES, read, regenerated

for page in PAGES:
    text = read(page)
    if (new := regenerated(text)) != text:
        page.write_text(new, encoding="utf-8")
