"""What a process does not need is not imported when it starts: each takes time and memory."""

import subprocess
import sys

import pytest

APART = {
    "serai.app.standalone": (
        "cel_expr_python",
        "cryptography",
        "grpc",
        "jinja2",
        "joserfc",
        "prometheus_client",
        "serai.app.controller",
        "serai.app.demo",
        "serai.kube",
        "serai.ratelimit",
        "serai.sources.cluster",
        "serai.trace",
        "starlette",
        "typer",
        "uvicorn",
        "yaml",
    ),
    "serai.app.controller": (
        "cel_expr_python",
        "grpc",
        "jinja2",
        "serai.app.demo",
        "serai.app.standalone",
        "serai.ratelimit",
        "serai.sources.documents",
        "serai.sources.folder",
        "typer",
        "yaml_rs",
    ),
    "serai.cli.main": ("cryptography", "grpc", "serai.app", "serai.xds", "yaml", "yaml_rs"),
}


@pytest.mark.parametrize("process", APART)
def test_what_a_process_does_not_need_is_not_imported(process: str) -> None:
    program = f"""
import sys
import {process}
print("needless:", [name for name in {APART[process]!r} if name in sys.modules])
"""

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "needless: []"
