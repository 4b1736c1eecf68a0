"""What is vendored is what its VENDOR.json says, and the pages stay small."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import sys
from pathlib import Path

from django.conf import settings

from lineage.cli import first_start
from lineage.web.templatetags.lineage_ui import SPRITE

STATIC = Path(settings.BASE_DIR) / "lineage" / "web" / "static"
TOOL = Path(settings.BASE_DIR) / "tools" / "vendor_assets.py"


def test_vendored_files_are_what_their_records_say() -> None:
    done = subprocess.run([sys.executable, TOOL, "--check"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_every_vendored_package_has_its_version_and_licence() -> None:
    records = sorted((STATIC / "vendor").glob("*/VENDOR.json"))
    assert len(records) == 4
    lock = json.loads((Path(settings.BASE_DIR) / "package-lock.json").read_text())["packages"]
    for path in records:
        record = json.loads(path.read_text())
        assert path.parent.name.endswith(f"-{record['version']}")
        assert lock[f"node_modules/{record['package']}"]["version"] == record["version"]
        assert record["licence"] in {"0BSD", "MIT", "OFL-1.1"}
        assert "LICENSE" in record["files"]


def test_the_pages_name_vendored_files_that_are_there() -> None:
    base = (Path(settings.BASE_DIR) / "templates" / "base.html").read_text()
    named = [*re.findall(r'static "(vendor/[^"]+)"', base), SPRITE]
    assert len(named) == 2
    for name in named:
        assert (STATIC / name).is_file(), name


def test_the_lock_names_no_registry() -> None:
    assert '"resolved"' not in (Path(settings.BASE_DIR) / "package-lock.json").read_text()


def test_scripts_and_styles_of_a_page_fit_in_40_kb() -> None:
    files = [
        *STATIC.glob("lineage/css/*.css"),
        *STATIC.glob("lineage/js/*.js"),
        *STATIC.glob("vendor/*/*.js"),
    ]
    assert sum(len(gzip.compress(path.read_bytes())) for path in files) <= 40 << 10
    assert sum(path.stat().st_size for path in STATIC.glob("lineage/js/*.js")) <= 3 << 10


def test_in_production_every_file_has_its_hash_in_its_name_and_is_compressed(tmp_path: Path) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "LINEAGE_HOME": str(tmp_path),
        "DJANGO_SETTINGS_MODULE": "lineage.settings",
    }
    unused = [part for name in first_start.UNUSED_STATIC for part in ("--ignore", name)]
    command = [sys.executable, "-m", "django", "collectstatic", "--no-input", "--verbosity", "0", *unused]
    subprocess.run(command, env=environment, cwd=settings.BASE_DIR, check=True)
    collected = tmp_path / "static"
    paths = json.loads((collected / "staticfiles.json").read_text())["paths"]
    for name in ("lineage/css/tokens.css", "lineage/js/lineage.js", SPRITE):
        hashed = collected / paths[name]
        assert hashed.name != Path(name).name
        assert hashed.with_name(hashed.name + ".br").exists()
        assert not (collected / name).exists()
    tokens = collected / paths["lineage/css/tokens.css"]
    fonts = re.findall(r'url\("([^"]+)"\)', tokens.read_text())
    assert len(fonts) == 3
    for font in fonts:
        assert (tokens.parent / font).resolve().relative_to(collected).as_posix() in paths.values()


def test_own_files_name_no_other_host() -> None:
    for path in (*STATIC.glob("lineage/**/*.css"), *STATIC.glob("lineage/**/*.js")):
        assert "//" not in path.read_text().replace("/*", "").replace("*/", ""), path


def test_the_themes_differ_in_colours_alone() -> None:
    """So what axe says of anything but colours in one theme holds in both (`tests/web/axe.py`)."""
    own = (*STATIC.glob("lineage/**/*.*"), *(Path(settings.BASE_DIR) / "templates").rglob("*.html"))
    asking = [path.name for path in own if re.search("prefers-color-scheme|light-dark", path.read_text())]
    assert asking == ["tokens.css"]
    tokens = (STATIC / "lineage/css/tokens.css").read_text()
    light, asked, dark = tokens.partition("@media (prefers-color-scheme: dark) {\n    :root {")
    assert asked
    assert dark.rstrip().endswith("}\n  }\n}"), "nothing comes after it"
    dark = dark.rstrip().removesuffix("}\n  }\n}")
    colour = re.compile(r"\s*(--[a-z-]+): #[0-9a-f]{6};|\s*\n")
    names = [match[1] for match in colour.finditer(dark) if match[1]]
    assert colour.sub("", dark).strip() == "", "nothing but colours"
    assert len(names) > 10
    assert set(names) <= {match[1] for match in colour.finditer(light)}
