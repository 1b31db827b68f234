"""The report and the page of a stream have the same colours: each is one file that stands alone, so both name them."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PAGE, REPORT = "services/gateway/web/style.css", "services/offline/report/templates/report.css"
TOKEN = re.compile(r"^\s*(--[\w-]+): *([^;]+);", re.MULTILINE)


def tokens(file: str) -> list[dict[str, str]]:
    """Of light, and of dark, by name."""
    light, dark = (ROOT / file).read_text(encoding="utf-8").split(":root {", 2)[1:3]
    return [dict(TOKEN.findall(each.partition("}")[0])) for each in (light, dark)]


def test_the_report_has_the_colours_of_the_page() -> None:
    for report, page in zip(tokens(REPORT), tokens(PAGE), strict=True):
        assert len(report) > 15
        assert report == {name: page[name] for name in report if name in page}
