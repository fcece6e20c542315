"""Builds what is published for Python, and tries each package as its users get it: `make wheel`.

The wheels are for manylinux2014, whose C library (2.17) is older than that of any machine one builds on: zig, a package
of Python's, links against it.
"""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import venv
import zipfile

import trustme

ROOT = pathlib.Path(__file__).resolve().parent.parent
PACKAGES = ROOT / "target" / "packages"
MANIFESTS = {"openline": "crates/openline-python/Cargo.toml", "openline-cli": "crates/openline-cli/Cargo.toml"}


def main() -> None:
    shutil.rmtree(PACKAGES, ignore_errors=True)
    for manifest in MANIFESTS.values():
        maturin("build", "--release", "--locked", "--strip", "--zig", "--compatibility", "manylinux2014", manifest)
        maturin("sdist", manifest)
    files = sorted(PACKAGES.iterdir())
    for file in files:
        print(f"{file.name}: {file.stat().st_size / 1e6:.2f} MB", flush=True)
    for name, manifest in MANIFESTS.items():
        (wheel,) = PACKAGES.glob(f"{name.replace('-', '_')}-*.whl")
        check_bill_of_materials(wheel, manifest)
    for suffix in [".whl", ".tar.gz"]:
        try_packages([file for file in files if file.name.endswith(suffix)])


def maturin(*arguments: str) -> None:
    *options, manifest = arguments
    # maturin looks for zig beside the first python on the path.
    environment = {**os.environ, "PATH": f"{pathlib.Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    command = [sys.executable, "-m", "maturin", *options, "--manifest-path", manifest, "--out", str(PACKAGES)]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)


def check_bill_of_materials(wheel: pathlib.Path, manifest: str) -> None:
    """What maturin writes into a wheel (an SBOM, PEP 770) names every crate that is linked, with its version."""
    with zipfile.ZipFile(wheel) as archive:
        (path,) = [name for name in archive.namelist() if ".dist-info/sboms/" in name]
        bill = json.loads(archive.read(path))
    named = {(part["name"], part["version"]) for part in [bill["metadata"]["component"], *bill["components"]]}
    command = ["cargo", "tree", "--locked", "--manifest-path", manifest, "--edges", "normal", "--prefix", "none"]
    tree = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout
    linked = {(name, version.removeprefix("v")) for name, version, *_ in map(str.split, tree.splitlines())}
    if not linked <= named:
        raise SystemExit(f"{path} of {wheel.name} does not name {sorted(linked - named)}")
    print(f"{wheel.name}: a bill of materials with {len(named)} crates, of which {len(linked)} are in it", flush=True)


def try_packages(files: list[pathlib.Path]) -> None:
    """Install them, and nothing else, into an environment of their own, and use them there."""
    print(f"trying {', '.join(file.name for file in files)}", flush=True)
    with tempfile.TemporaryDirectory() as directory:
        place = pathlib.Path(directory)
        venv.create(place / "venv", with_pip=True)
        python = place / "venv" / "bin" / "python"
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-deps", *files], cwd=place, check=True)
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(place / "ca.pem"))
        authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(place / "server.pem"))
        shutil.copy(ROOT / "tools" / "try_package.py", place)
        environment = {"PATH": os.defpath, "SSL_CERT_FILE": str(place / "ca.pem")}
        subprocess.run([python, "-W", "error", "try_package.py"], cwd=place, env=environment, check=True)


if __name__ == "__main__":
    main()
