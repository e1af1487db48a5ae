"""W&B's client without its server: the real ``wandb sweep`` and ``wandb agent`` against a few answers on this machine.

What this proves is that our files, commands and exit statuses are right for the client. W&B's own server is never asked.
"""

import csv
import importlib
import json
import os
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
# The client, but for the five seconds that its agent sleeps between two looks at its children.
CLIENT = (
    "import sys, wandb.wandb_agent as agent; agent.Agent.POLL_INTERVAL = 0.2; from wandb.cli.cli import cli; "
    "sys.exit(cli(sys.argv[1:], prog_name='wandb'))"
)
PROJECT = {"id": "p", "name": "project", "entity": {"id": "e", "name": "entity"}}


@pytest.fixture(scope="session")
def sweep_files() -> Path:
    """The folder of our sweep files."""
    return ROOT / "sweeps"


@pytest.fixture(scope="session")
def library() -> Any:
    """The package ``sweeps``, or a skip."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its models are those of pydantic 1
        # Without it, our own folder of this name is found, which has no schema.
        pytest.importorskip("sweeps.config.schema", reason="the extra sweeps is not installed")
        return importlib.import_module("sweeps")


History = Callable[[str], list[float]]


@dataclass
class Server:
    """One sweep: suggestions by ``sweeps``, one run at a time.

    Args:
        history: the metric's values so far of a run, by its id.
        most: runs to give out.
    """

    history: History
    most: int
    config: dict[str, Any] = field(default_factory=dict)
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)  # id to the suggestion
    stopped: list[str] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)

    def answer(self, operation: str, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        """To a GraphQL operation."""
        self.seen.add(operation)
        sweep = {"id": "s", "name": "sweep1", "config": yaml.safe_dump(self.config), "state": "RUNNING", "runs": {"edges": []}}
        match operation:
            case "UpsertSweep":
                self.config = yaml.safe_load(variables["config"])
                return {"upsertSweep": {"sweep": {"name": "sweep1", "project": PROJECT}, "configValidationWarnings": []}}
            case "SweepWithRuns":
                return {"project": {"sweep": sweep | {"method": self.config["method"]}}}
            case "CreateAgent":
                return {"createAgent": {"agent": {"id": "agent1"}}}
            case "Heartbeat":
                commands = json.dumps(self.commands(json.loads(variables["runState"])))
                return {"agentHeartbeat": {"agent": {"id": "agent1"}, "commands": commands}}
        return {"viewer": {"id": "v", "entity": "entity", "username": "user", "teams": {"edges": []}, "flags": "{}"}}

    def commands(self, running: dict[str, bool]) -> list[dict[str, Any]]:
        """What the agent shall do next."""
        import sweeps

        made = []
        for name, values in self.runs.items():
            config = {key: {"value": value} for key, value in values.items()}
            run = sweeps.SweepRun(name=name, config=config, state="running" if name in running else "finished")
            run.history = [{self.config["metric"]["name"]: value} for value in self.history(name)]
            run.summary_metrics = run.history[-1] if run.history else {}
            made.append(run)
        if running:
            ends = sweeps.stop_runs(self.config, made) if "early_terminate" in self.config else []
            self.stopped += [run.name for run in ends if run.name not in self.stopped]
            return [{"type": "stop", "run_id": run.name} for run in ends]
        chosen = sweeps.next_run(self.config, made) if len(self.runs) < self.most else None
        if chosen is None:
            return [{"type": "exit"}]
        name = f"run{len(self.runs)}"
        self.runs[name] = {key: json.loads(json.dumps(given["value"], default=float)) for key, given in chosen.config.items()}
        args = {key: {"value": value} for key, value in self.runs[name].items()}
        return [{"type": "run", "run_id": name, "program": self.config.get("program", ""), "args": args}]


@contextmanager
def served(server: Server) -> Iterator[str]:
    """The address at which it answers."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            operation = asked.get("operationName") or asked["query"].split("{")[0].split("(")[0].split()[-1]
            body = json.dumps({"data": server.answer(operation, asked["query"], asked.get("variables") or {})}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            """Quiet."""

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listening.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.server_port}"
    finally:
        listening.shutdown()


@dataclass
class Session:
    """A sweep that an agent has run to its end.

    Args:
        folder: where it ran.
        server: as it was at the end.
        status: of the agent.
        said: what sweep and agent said.
    """

    folder: Path
    server: Server
    status: int
    said: str

    def runs(self) -> dict[str, Path]:
        """Run folders of ``python -m fit`` by the id of the trial."""
        notes = (self.folder / "runs").glob("*/run.json")
        return {json.loads(path.read_text())["job"].rpartition("/")[2]: path.parent for path in notes}


def scores(folder: Path, run: str) -> list[float]:
    """What a trial of ``python -m fit`` has logged so far as val/score."""
    for path in (folder / "runs").glob("*/run.json"):
        if json.loads(path.read_text())["job"].endswith(f"/{run}") and (path.parent / "metrics.csv").exists():
            with (path.parent / "metrics.csv").open(newline="") as file:
                return [float(row["val/score"]) for row in csv.DictReader(file) if row.get("val/score")]
    return []


def environment(folder: Path, address: str) -> dict[str, str]:
    """Of the client; its runs stay on this machine."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("WANDB_", "SLURM_"))}
    path = os.pathsep.join([str(Path(sys.executable).parent), own["PATH"]])  # the agent calls "python"
    return own | {
        "PATH": path,
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        "HOME": str(folder),
        "WANDB_BASE_URL": address,
        "WANDB_API_KEY": "0123456789" * 4,
        "WANDB_MODE": "offline",
        "WANDB_SILENT": "true",
    }


@pytest.fixture(scope="session")
def run_sweep(library: Any) -> Callable[..., Session]:
    """Runs ``wandb sweep`` and ``wandb agent`` in a folder, on a configuration; see ``Server`` for the rest."""
    pytest.importorskip("wandb", reason="the extra wandb is not installed")

    def run(folder: Path, config: dict[str, Any], history: History | None = None, most: int = 99) -> Session:
        (folder / "sweep.yaml").write_text(yaml.safe_dump(config))
        server, said = Server(history or partial(scores, folder), most), ""
        with served(server) as address:
            for words in (["sweep", "sweep.yaml"], ["agent", "entity/project/sweep1"]):
                command = [sys.executable, "-c", CLIENT, *words]
                own = environment(folder, address)
                done = subprocess.run(command, cwd=folder, env=own, capture_output=True, text=True, timeout=800, check=False)
                said += done.stdout + done.stderr
                if done.returncode:
                    break
        return Session(folder, server, done.returncode, said)

    return run
