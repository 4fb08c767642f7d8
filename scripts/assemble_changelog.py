#!/usr/bin/env python3
"""Move the fragments in changes/ into CHANGELOG.md under a new version: `scripts/assemble_changelog.py 0.1.0`."""

import argparse
import re
import sys
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
KINDS = ("added", "changed", "fixed", "removed", "security")
MARK = "<!-- versions -->\n"


def read_fragments(folder: Path) -> dict[str, list[str]]:
    """Return the text of every fragment by its kind; a fragment is called `NAME.KIND.md`."""
    found: dict[str, list[str]] = {kind: [] for kind in KINDS}
    for path in sorted(folder.glob("*.md")):
        name, _, kind = path.stem.rpartition(".")
        if not name or kind not in KINDS:
            sys.exit(f"{path}: a fragment is called NAME.KIND.md, with one of these kinds: {', '.join(KINDS)}.")
        found[kind].append(path.read_text().strip())
    return found


def section(version: str, fragments: dict[str, list[str]], day: str) -> str:
    """Return a version's section: its fragments as list entries, grouped by kind."""
    lines = [f"## {version} ({day})", ""]
    for kind, texts in fragments.items():
        if texts:
            lines += [f"### {kind.capitalize()}", "", *("- " + text.replace("\n", "\n  ") for text in texts), ""]
    return "\n".join(lines)


def main() -> None:
    """Write the new section, and remove the fragments it was made from."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("version", help="the version to be released, such as 0.1.0")
    parser.add_argument("--dry-run", action="store_true", help="print the section and change nothing")
    arguments = parser.parse_args()
    if not re.fullmatch(r"\d+\.\d+\.\d+", arguments.version):
        parser.error(f"a version is three numbers, such as 0.1.0, not {arguments.version!r}")
    fragments = read_fragments(ROOT / "changes")
    if not any(fragments.values()):
        sys.exit("changes/ holds no fragment: there is nothing to release.")
    text = section(arguments.version, fragments, datetime.now(UTC).date().isoformat())
    if arguments.dry_run:
        print(text)
        return
    changelog = ROOT / "CHANGELOG.md"
    before, mark, after = changelog.read_text().partition(MARK)
    changelog.write_text(f"{before}{mark}\n{text}{after}")
    for path in (ROOT / "changes").glob("*.md"):
        path.unlink()


if __name__ == "__main__":
    main()
