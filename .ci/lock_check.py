"""
Refuse locks that are out of step, or that name any index but the public one.

A mirror set on somebody's machine gets written into ``uv.lock`` by uv and stays there when the variable is gone, so
nobody notices until the mirror is. Needs no network: ``uv lock --check --offline`` passes when nothing has changed.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent
PEERS = Path("benchmarks/peers")
"""A project of its own: its packages do not go together with the service's."""
INDEX = "https://pypi.org/simple"
FILE_HOST = "files.pythonhosted.org"
INDEX_VARIABLES = ("UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS")
EXPORT = ("--frozen", "--offline", "--no-config", "--format", "requirements-txt", "--no-emit-project", "--quiet")


def foreign_sources(name: str) -> list[str]:
    """What a lock takes from elsewhere than the public index. *name* is its path from the root of the project."""
    faults = []
    for package in tomllib.loads((ROOT / name).read_text())["package"]:
        source = package["source"]
        if "registry" in source and source["registry"] != INDEX:
            faults.append(f"{name}: {package['name']} comes from {source['registry']}")
        if not source.keys() <= {"registry", "editable", "virtual"}:
            faults.append(f"{name}: {package['name']} does not come from an index: {source}")
        files = [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
        hosts = {urlsplit(file["url"]).hostname for file in files}
        faults += [f"{name}: {package['name']} is fetched from {host}" for host in hosts - {FILE_HOST}]
    return faults


def pins(text: str) -> dict[str, frozenset[str]]:
    """``name==version ; marker`` -> hashes. Releases of uv differ in comments and line breaks, not in these."""
    joined = re.sub(r"\\\n\s*", " ", re.sub(r"(?m)^\s*#.*\n", "", text))
    found = {}
    for line in filter(None, map(str.strip, joined.splitlines())):
        requirement, *hashes = re.split(r"\s+--hash=", line)
        found[" ".join(requirement.split())] = frozenset(hashes)
    return found


def runs(uv: str) -> bool:
    try:
        return subprocess.run([uv, "--version"], capture_output=True, check=True).stdout.startswith(b"uv ")
    except (OSError, subprocess.CalledProcessError):
        return False


def out_of_step(uv: str) -> list[str]:
    if not runs(uv):
        print("uv does not run here: only the sources of the locks were checked", file=sys.stderr)
        return []
    environment = {name: value for name, value in os.environ.items() if name not in INDEX_VARIABLES}
    for project in (Path(), PEERS):
        check = subprocess.run(
            [uv, "lock", "--check", "--offline", "--no-config", "--project", str(project)],
            cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if check.returncode:
            where = project / "uv.lock"
            return [f"{where} does not match the pyproject.toml beside it: run make lock\n{check.stderr.strip()}"]
    with tempfile.TemporaryDirectory() as folder:
        exported = Path(folder) / "requirements.lock"
        subprocess.run([uv, "export", *EXPORT, "--output-file", str(exported)], cwd=ROOT, env=environment, check=True)
        if pins(exported.read_text()) != pins((ROOT / "requirements.lock").read_text()):
            return ["requirements.lock does not match uv.lock: run make lock"]
    return []


def main() -> int:
    faults = [fault for project in (Path(), PEERS) for fault in foreign_sources(str(project / "uv.lock"))]
    requirements = (ROOT / "requirements.lock").read_text()
    if re.search(r"://|(?m:^-)", requirements):
        faults.append("requirements.lock names an address or an option; it holds names, versions and hashes only")
    faults += out_of_step(sys.argv[1] if len(sys.argv) > 1 else "uv")
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
