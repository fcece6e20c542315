"""The benchmarks: every workload, with every client that is installed, in one run.

python bench/benchsuite.py [--short] [--rounds 5] [--seconds 0.5] [--only TEXT] [--clients NAME ...] [--save]

How it measures, and how to read it, is in bench/README.md.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import os
import pathlib
import platform
import re
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

import trustme

import compressed
import contender
import figures
from workloads import WORKLOADS, Workload

HERE = pathlib.Path(__file__).resolve().parent
RUNS = HERE / "runs"
CLIENT_CORE, OTHER_CORE = "0", "1"
SPIN = "50"
"""For how many microseconds the server looks for data before it sleeps, if it has a core of its own."""

SHORT = ["raw", "raw, coalesced", "openline", "openline, many", "websockets", "websocket-rs", "picows"]
RUST_SHORT = ["rust: raw", "rust: openline", "rust: tungstenite"]


def main() -> None:
    parser = argparse.ArgumentParser(description="Every workload with every client.")
    parser.add_argument("--short", action="store_true", help="the main workloads and clients: 3 minutes")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=None, help="of each measurement (0.5; 0.08 if short)")
    parser.add_argument("--only", action="append", metavar="TEXT", help="workloads with this in their name")
    parser.add_argument("--clients", nargs="+", metavar="NAME", help=f"of {', '.join(contender.CLIENTS)}")
    parser.add_argument(
        "--save", nargs="?", const=RUNS, type=pathlib.Path, metavar="FILE", help="keep the raw results (in bench/runs/)"
    )
    options = parser.parse_args()
    seconds = options.seconds or (0.08 if options.short else 0.5)
    workloads = [
        workload
        for workload in WORKLOADS
        if (workload.short or not options.short)
        and (not options.only or any(is_named(workload, text) for text in options.only))
    ]
    if not workloads:
        parser.error("no workload has such a name")
    clients = options.clients or ([*SHORT, *RUST_SHORT] if options.short else list(contender.ALL))
    unknown = set(clients) - set(contender.ALL)
    if unknown:
        parser.error(f"no such client: {', '.join(sorted(unknown))}")

    for name in clients:
        if contender.versions(name) is None:
            print(f"{name} is not installed")
    run: dict[str, Any] = {"machine": machine(), "rounds": options.rounds, "seconds": seconds}
    run["versions"] = {name: contender.versions(name) for name in clients}
    results: dict[str, dict[str, list[Any]]] = {}
    if any(name.startswith("rust: ") for name in clients):
        contender.build("clients")
    with servers() as ports:
        for workload in workloads:
            results[workload.name] = measure(workload, clients, options.rounds, seconds, ports)
            print(f"\n{workload.name}\n\n{figures.table(results[workload.name], workload)}", flush=True)
        if options.save and not options.only:
            import memory

            run["memory"] = memory.rows(ports, memory.CONNECTIONS)
    run["results"] = results
    print(f"\n{figures.targets(results)}")
    if options.save:
        print(f"kept in {save(run, options.save)}")


def is_named(workload: Workload, text: str) -> bool:
    """Whether this is the name, or a part of it and of no other's whole name."""
    return text == workload.name or (text in workload.name and text not in [it.name for it in WORKLOADS])


def measure(
    workload: Workload, clients: list[str], rounds: int, seconds: float, ports: dict[str, Any]
) -> dict[str, list[Any]]:
    """Rounds of all clients, in an order that rotates; a client that cannot do it says why, and is left out."""
    names = [name for name in clients if contender.takes_part(name, workload)]
    if workload.kind == "idle":
        rounds = 1  # counts, which are the same each time
    results: dict[str, list[Any]] = {name: [] for name in names}
    for number in range(rounds):
        turn = number % max(1, len(names))
        for name in names[turn:] + names[:turn]:
            failed = any("failed" in result for result in results[name])
            if not failed:
                results[name].append(one(name, workload, seconds, ports))
    return results


def one(name: str, workload: Workload, seconds: float, ports: dict[str, Any]) -> dict[str, Any]:
    server = ports["same core" if workload.one_core else "another core"]
    port = str(server["wss" if workload.secure else "ws"])
    command = contender.command(name, workload, seconds, port, CLIENT_CORE, ports["authorities"])
    environment = {**os.environ, "SSL_CERT_FILE": ports["authorities"]}
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=90)
    except subprocess.TimeoutExpired:
        return {"failed": "it did not end within 90 s"}
    if done.returncode or not done.stdout.strip():
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        return {"failed": lines[-1][:200]}
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


@contextlib.contextmanager
def servers() -> Iterator[dict[str, Any]]:
    """The neutral server twice: beside the client, and on another core, where it looks before it sleeps."""
    program = contender.build()
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        directory = pathlib.Path(name)
        certificate, authorities = certify(directory)
        frames = directory / "frames"
        frames.mkdir()
        compressed.write_frames(frames)
        ports: dict[str, Any] = {"authorities": str(authorities)}
        for place, core, spin in [("same core", CLIENT_CORE, "0"), ("another core", OTHER_CORE, SPIN)]:
            command = ["taskset", "-c", core, str(program / "neutral"), spin, str(certificate), str(frames)]
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
            # It ends with its standard input, which `with` closes.
            server = stack.enter_context(subprocess.Popen(command, **pipes))  # type: ignore[call-overload]
            ports[place] = json.loads(server.stdout.readline())
        yield ports


def certify(directory: pathlib.Path) -> tuple[pathlib.Path, pathlib.Path]:
    """A certificate for 127.0.0.1, and a file of the authorities to trust: as many as a system has."""
    authority = trustme.CA()
    certificate, authorities = directory / "server.pem", directory / "authorities.pem"
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(certificate))
    system = ssl.get_default_verify_paths().cafile
    trusted = pathlib.Path(system).read_bytes() if system else b""
    authorities.write_bytes(trusted + authority.cert_pem.bytes())
    return certificate, authorities


def machine() -> dict[str, str]:
    git = ["git", "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(git, cwd=HERE, capture_output=True, text=True, check=False)
    return {
        "date": datetime.date.today().isoformat(),
        "cpu": cpu_model(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "openssl": ssl.OPENSSL_VERSION,
        "commit": commit.stdout.strip(),
        "command": " ".join(["python", "bench/benchsuite.py", *sys.argv[1:]]),
    }


def cpu_model() -> str:
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        models = [line.split(":", 1)[1].strip() for line in info if line.startswith("model name")]
    return models[0] if models else platform.machine()


def save(run: dict[str, Any], path: pathlib.Path) -> pathlib.Path:
    if path == RUNS:
        cpu = re.sub(r"[^a-z0-9]+", "-", run["machine"]["cpu"].lower()).strip("-")
        path = RUNS / f"{run['machine']['date']}-{cpu}" / "results.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        latest = RUNS / "latest.json"
        latest.unlink(missing_ok=True)
        latest.symlink_to(path.relative_to(RUNS))
    path.write_text(json.dumps(run, indent=1) + "\n", encoding="utf-8")
    return path


if __name__ == "__main__":
    main()
