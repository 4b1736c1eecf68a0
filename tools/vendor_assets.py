"""Copy the few third-party files that the web pages use from node_modules/ to lineage/web/static/vendor/.

    npm ci --ignore-scripts && python tools/vendor_assets.py

Owns: which files are vendored, the icon sprite, and VENDOR.json beside each (file, SHA-256, licence). The
results are committed, so that neither an installation nor a test needs npm. `--check` writes nothing and
fails where a vendored file differs from what its VENDOR.json says.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MODULES = ROOT / "node_modules"
VENDOR = ROOT / "lineage" / "web" / "static" / "vendor"


@dataclass(frozen=True, slots=True)
class Package:
    """`npm` is the name in package-lock.json, `name` ours; `files` are paths inside the package."""

    npm: str
    name: str
    files: tuple[str, ...]


PACKAGES = (
    Package("htmx.org", "htmx", ("dist/htmx.min.js", "LICENSE")),
    Package(
        "@fontsource-variable/inter",
        "inter",
        ("files/inter-latin-wght-normal.woff2", "files/inter-latin-ext-wght-normal.woff2", "LICENSE"),
    ),
    Package(
        "@fontsource-variable/jetbrains-mono",
        "jetbrains-mono",
        ("files/jetbrains-mono-latin-wght-normal.woff2", "LICENSE"),
    ),
)
ICON_PACKAGE = Package("@tabler/icons", "tabler-icons", ("LICENSE",))
ICONS = (
    "alert-triangle",
    "arrow-right",
    "ban",
    "box",
    "building",
    "certificate",
    "check",
    "chevron-down",
    "chevron-left",
    "chevron-right",
    "circle-dashed",
    "clock",
    "copy",
    "cpu",
    "database",
    "download",
    "file",
    "history",
    "info-circle",
    "key",
    "link",
    "list-details",
    "logout",
    "map-pin",
    "player-play",
    "puzzle",
    "rocket",
    "search",
    "unlink",
    "user",
    "x",
)


def build_sprite(folder: Path) -> bytes:
    """One SVG with a `<symbol id="name">` for each of ICONS, drawn by stroke in the text's colour."""
    symbols = []
    for name in ICONS:
        text = (folder / "icons" / "outline" / f"{name}.svg").read_text()
        body = text[text.index(">") + 1 : text.rindex("</svg>")]
        shapes = re.findall(r"<(?!path stroke=\"none\")[a-z]+ [^>]*/>", body)
        symbols.append(f'<symbol id="{name}" viewBox="0 0 24 24">{"".join(shapes)}</symbol>')
    return ('<svg xmlns="http://www.w3.org/2000/svg">\n' + "\n".join(symbols) + "\n</svg>\n").encode()


def vendor(package: Package, extra: dict[str, bytes]) -> Path:
    """Write one package's folder anew and return it."""
    source = MODULES / package.npm
    manifest = json.loads((source / "package.json").read_text())
    target = VENDOR / f"{package.name}-{manifest['version']}"
    for old in VENDOR.glob(f"{package.name}-[0-9]*"):
        shutil.rmtree(old)
    target.mkdir(parents=True)
    contents = {Path(name).name: (source / name).read_bytes() for name in package.files} | extra
    for name, content in contents.items():
        (target / name).write_bytes(content)
    record = {
        "package": package.npm,
        "version": manifest["version"],
        "licence": manifest["license"],
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in sorted(contents.items())},
    }
    (target / "VENDOR.json").write_text(json.dumps(record, indent=2) + "\n")
    return target


def differences() -> list[str]:
    """Files that are missing, changed or not listed in the VENDOR.json of their folder."""
    found = []
    for record in sorted(VENDOR.glob("*/VENDOR.json")):
        listed = json.loads(record.read_text())["files"]
        present = {path.name for path in record.parent.iterdir()} - {"VENDOR.json"}
        found += [f"{record.parent.name}/{name}: missing or not listed" for name in present ^ set(listed)]
        found += [
            f"{record.parent.name}/{name}: changed"
            for name in sorted(present & set(listed))
            if hashlib.sha256((record.parent / name).read_bytes()).hexdigest() != listed[name]
        ]
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; compare with VENDOR.json")
    if parser.parse_args().check:
        found = differences()
        sys.stderr.write("".join(line + "\n" for line in found))
        return 1 if found else 0
    folders = [vendor(package, {}) for package in PACKAGES]
    folders.append(vendor(ICON_PACKAGE, {"sprite.svg": build_sprite(MODULES / ICON_PACKAGE.npm)}))
    sys.stderr.write("".join(f"{folder.relative_to(ROOT)}\n" for folder in folders))
    return 0


if __name__ == "__main__":
    sys.exit(main())
