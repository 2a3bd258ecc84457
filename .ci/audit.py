"""Is a lock clean of known vulnerabilities? ``python3 .ci/audit.py PIP_AUDIT LOCK``: 0 yes, 1 no, 3 nobody can say.

pip-audit itself ends with 0 where the service knows none of the packages, as behind a mirror without advisories: then
nothing was looked up, and nothing is clean.
"""

import json
import subprocess
import sys
from typing import Any

CLEAN, VULNERABLE, UNKNOWN = 0, 1, 3


def verdict(report: dict[str, Any]) -> tuple[int, list[str]]:
    """What a report of pip-audit's says, in an exit code and in lines."""
    packages = report["dependencies"]
    bad = [(package, found) for package in packages for found in package.get("vulns", ())]
    lines = [
        f"{package['name']} {package['version']}: {found['id']}, mended in {', '.join(found['fix_versions']) or 'no version'}"
        for package, found in bad
    ]
    skipped = [package for package in packages if "skip_reason" in package]
    if skipped:
        lines.append(f"{len(skipped)} of {len(packages)} packages could not be looked up: {skipped[0]['name']} for one")
    if bad:
        return VULNERABLE, lines
    if skipped or not packages:
        return UNKNOWN, [*lines, "no advisories can be had from here; nothing is known to be clean"]
    return CLEAN, [f"{len(packages)} packages, no known vulnerability"]


def main() -> int:
    """Run pip-audit, and say what it found."""
    command = [
        sys.argv[1],
        "--progress-spinner=off",
        "--disable-pip",
        "--require-hashes",
        "--format=json",
        "-r",
        sys.argv[2],
    ]
    done = subprocess.run(  # noqa: S603  as our Makefile says
        command, capture_output=True, text=True, check=False
    )
    try:
        report = json.loads(done.stdout)
    except ValueError:
        said = (done.stderr or done.stdout).strip().splitlines() or ["pip-audit said nothing"]
        print(f"audit: {said[-1]}", "audit: no advisories can be had from here", sep="\n", file=sys.stderr)
        return UNKNOWN
    code, lines = verdict(report)
    print(*(f"audit: {line}" for line in lines), sep="\n", file=sys.stderr if code else sys.stdout)
    return code


if __name__ == "__main__":
    sys.exit(main())
