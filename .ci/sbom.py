"""A CycloneDX 1.5 bill of materials from a lock: ``python3 .ci/sbom.py .locks/run.txt``. The same lock gives the same bytes."""

import json
import re
import sys
import uuid
from pathlib import Path

_PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==([^\s;\\]+)")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def components(lock: str) -> list[dict[str, object]]:
    """Every package of a lock with the hashes of all its files."""
    found: list[dict[str, object]] = []
    hashes: list[dict[str, str]] = []
    for line in lock.splitlines():
        pin = _PIN.match(line)
        if pin:
            name, version = pin[1].lower().replace("_", "-"), pin[2]
            hashes = []
            purl = f"pkg:pypi/{name}@{version}"
            found.append(
                {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl, "hashes": hashes}
            )
        hashes += [{"alg": "SHA-256", "content": content} for content in _HASH.findall(line)]
    return found


def main() -> None:
    """Print it."""
    lock = Path(sys.argv[1]).read_text(encoding="utf-8")
    parts = components(lock)
    if not parts or not all(part["hashes"] for part in parts):
        sys.exit(f"{sys.argv[1]}: a package has no hashes, or there is none")
    bom = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, lock)}",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": "shelftalk", "bom-ref": "shelftalk"}},
        "components": parts,
    }
    print(json.dumps(bom, indent=1))


if __name__ == "__main__":
    main()
