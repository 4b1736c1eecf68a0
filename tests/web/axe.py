"""What axe finds on a page as it stands, in both themes.

Owns: which rules are asked in which theme. The script is one of the site's own, so the page's policy stays in
force, and the browser need not get and read it again for each page.
"""

from __future__ import annotations

from typing import Any

from tests.web.tab import AXE

THEMES = ("light", "dark")
OF_COLOURS = ("color-contrast", "link-in-text-block")
"""The rules that look at colours. The themes differ in nothing else (`test_assets.py` holds the styles to
that), so what the others say of a page in the first theme holds in the second."""
_RUN = """async (rules) => {
  const told = {resultTypes: ["violations"], preload: false};
  const found = await axe.run(rules.length ? {...told, runOnly: rules} : told);
  return found.violations.flatMap(v => v.nodes.map(n => `${v.id}: ${n.html} ${n.failureSummary}`));
}"""


def violations(page: Any) -> list[str]:
    """Each as the theme, the rule, the element and what is wrong. The page stays in the last theme."""
    if not page.evaluate("'axe' in window"):
        page.add_script_tag(url=AXE)
    found: list[str] = []
    for theme in THEMES:
        page.emulate_media(color_scheme=theme)
        rules = [] if theme == THEMES[0] else list(OF_COLOURS)
        found += [f"{theme}: {each}" for each in page.evaluate(_RUN, rules)]
    return found
