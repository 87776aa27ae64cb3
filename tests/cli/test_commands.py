"""What holds for all commands: where they print, how they end, what they load."""

from __future__ import annotations

import json
import os
import pty
import re
import socket
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.transcripts import WORLDS
from serai.api.kinds import KINDS
from serai.cli.main import COMMANDS, app

SERAI = Path(sys.executable).with_name("serai")


def serai(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SERAI, *arguments],
        cwd=WORLDS,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        check=False,
    )


def on_a_terminal(*arguments: str, env: dict[str, str] | None = None) -> str:
    """What a command prints to standard output where that is a terminal."""
    ours, theirs = pty.openpty()
    settings = {**os.environ, "TERM": "xterm", **(env or {})}
    with subprocess.Popen(
        [SERAI, *arguments], cwd=WORLDS, env=settings, stdout=theirs, stderr=subprocess.DEVNULL
    ) as process:
        os.close(theirs)
        printed = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # how Linux says that the other end is closed
                break
            if not part:
                break
            printed += part
        process.wait(timeout=20)
    os.close(ours)
    return printed.decode().replace("\r\n", "\n")


@pytest.mark.parametrize("name", COMMANDS)
def test_the_table_says_what_the_command_says(name: str) -> None:
    command = getattr(import_module(f"serai.cli.{name}"), name)

    assert command.__doc__.partition("\n")[0] == COMMANDS[name]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_documented(name: str) -> None:
    assert f"`serai {name}" in (Path(__file__).parents[2] / "docs/cli.md").read_text()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_documented(name: str) -> None:
    written = (Path(__file__).parents[2] / "docs/cli.md").read_text()
    done = CliRunner().invoke(app, [name, "--help"], prog_name="serai", env={"COLUMNS": "200"})

    found = re.findall(r"^ +(-\w)?(?:, )?(--[a-z][a-z0-9-]+)", done.stdout, re.MULTILINE)
    assert ("-h", "--help") in found
    words = set(re.findall(r"-{1,2}[A-Za-z][\w-]*", written)) | {"-h"}
    assert [long for short, long in found if not {short, long} & words] == []


def test_help_lists_every_command() -> None:
    done = CliRunner().invoke(app, ["--help"], prog_name="serai", env={"COLUMNS": "120"})

    shown = " ".join(done.stdout.split())
    assert all(f"{name} {said}" in shown for name, said in COMMANDS.items())


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str) -> None:
    done = CliRunner().invoke(app, [name, "--help"], prog_name="serai")

    assert done.exit_code == 0 and COMMANDS[name].split()[0] in done.stdout


def test_data_and_talk_are_kept_apart() -> None:
    done = serai("translate", "broken")

    assert done.returncode == 1
    assert json.loads(done.stdout)["problems"]
    assert done.stderr == "3 errors, 1 warning; `serai validate` shows them\n"


def test_a_program_that_reads_no_further_is_no_disaster() -> None:
    command = f"{SERAI} translate shop | head -c 100"

    done = subprocess.run(
        command, shell=True, cwd=WORLDS, capture_output=True, text=True, check=False
    )

    assert len(done.stdout) == 100 and "Traceback" not in done.stderr


def test_colour_is_for_terminals() -> None:
    plain = serai("get", "endpoints", "-f", "shop").stdout
    coloured = on_a_terminal("get", "endpoints", "-f", "shop")

    assert "\x1b[" not in plain
    assert "\x1b[1m" in coloured and "\x1b[31mnot ready" in coloured


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_a_terminal_without_colour_shows_what_a_pipe_gets(env: dict[str, str]) -> None:
    arguments = ("get", "endpoints", "-f", "shop")

    assert on_a_terminal(*arguments, env=env) == serai(*arguments).stdout


def test_json_is_the_same_on_a_terminal() -> None:
    arguments = ("get", "services", "-f", "shop", "-o", "json")

    assert on_a_terminal(*arguments) == serai(*arguments).stdout


def test_settings_come_from_the_environment_too() -> None:
    by_flag = serai("translate", "shop", "--only", "clusters", "--cluster-names", "istio")
    by_name = serai("translate", "shop", "--only", "clusters", env={"SERAI_CLUSTER_NAMES": "istio"})

    assert "outbound|9080||reviews.shop.svc.cluster.local" in by_flag.stdout
    assert by_name.stdout == by_flag.stdout


def test_reading_files_loads_nothing_that_serves() -> None:
    program = """
import sys
from serai.cli.main import app
app(["get", "services", "-f", "shop"], standalone_mode=False)
heavy = ("grpc", "starlette", "uvicorn", "structlog", "httpx2", "rich.console")
print([name for name in heavy if name in sys.modules], file=sys.stderr)
"""

    done = subprocess.run(
        [sys.executable, "-c", program], cwd=WORLDS, capture_output=True, text=True, check=False
    )

    assert done.stderr == "[]\n"


def test_version_names_what_is_installed() -> None:
    found = json.loads(serai("version", "-o", "json").stdout)

    assert found["envoy"].startswith("1.40.")
    assert found["python"] == sys.version.split()[0]
    assert "ServiceEntry" in found["apis"]["networking.istio.io/v1"]
    said = serai("version").stdout
    assert said.startswith(f"serai   {found['serai']}\n")
    for name in ("envoy", "python"):
        assert f"{name:<8}{found[name]}\n" in said
    read = {kind for kinds in found["apis"].values() for kind in kinds}
    assert read == {kind.name for kind in KINDS}
    assert all(f"{version}: {', '.join(kinds)}" in said for version, kinds in found["apis"].items())


@pytest.mark.parametrize("spelling", ["--direct", "--via=loopback", "--direct --via=loopback"])
def test_the_way_to_a_vip_has_two_spellings(spelling: str) -> None:
    url = "http://reviews.shop:9080/"
    mesh = serai("trace", "GET", url, "-f", "shop")
    found = serai("trace", "GET", url, "-f", "shop", *spelling.split())
    asked = serai("request", url, "--admin", "127.0.0.1:1", *spelling.split())

    assert mesh.returncode == found.returncode == 0 and mesh.stdout != found.stdout
    assert "without an identity" in found.stdout
    assert asked.returncode == 3, "it is no wrong use"


@pytest.mark.parametrize("command", ["trace GET http://a.example/ -f shop", "request http://a"])
def test_a_way_through_a_gateway_and_to_the_vip_exclude_each_other(command: str) -> None:
    done = serai(*command.split(), "--direct", "--via", "infra/edge")

    assert done.returncode == 2 and "--via and --direct exclude each other" in done.stderr


def test_help_lists_commands_as_a_person_comes_to_need_them() -> None:
    listed = serai("--help").stdout.partition("Commands:")[2].splitlines()
    names = [line.split()[0] for line in listed if re.match(r"  \w", line)]

    assert names == [*COMMANDS]
    assert names[:2] == ["demo", "run"] and names[-1] == "version"


@pytest.mark.parametrize("command", [["validate"], ["translate"], ["get", "services", "-f"]])
def test_what_is_neither_a_file_nor_a_folder_is_not_taken_for_an_empty_one(
    command: list[str], tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "pipe")
    done = serai(*command, str(tmp_path / "pipe"))

    assert done.returncode == 2
    assert "is neither a file nor a folder" in done.stderr


@pytest.mark.parametrize("admin", ["nowhere", "http://127.0.0.1:9095", "127.0.0.1:99999"])
def test_an_admin_address_that_is_none_is_a_wrong_use(admin: str) -> None:
    done = serai("get", "services", "--admin", admin)

    assert done.returncode == 2
    assert f"{admin!r} is not an address such as 127.0.0.1:9095" in done.stderr


@pytest.mark.parametrize("form", [[], ["-o", "json"]])
def test_a_disk_that_is_full_is_told(form: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [SERAI, "get", "services", "-f", "shop", *form],
            cwd=WORLDS,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )

    assert done.returncode == 1
    assert done.stderr == "error: standard output cannot be written: No space left on device\n"


def test_who_interrupts_it_while_it_is_loaded_sees_no_traceback() -> None:
    program = """
import sys
class Interrupt:
    def find_spec(self, name, *more):
        if name == "typer":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupt())
from serai.__main__ import main
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (130, "")


def test_an_address_of_xds_that_is_taken_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        where = f"127.0.0.1:{other.getsockname()[1]}"
        command = ("run", "shop", "--no-envoy", "--xds", where, "--admin", "127.0.0.1:0")
        done = serai(*command, env={"SERAI_STATE": str(tmp_path)})

    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert f"error  the xDS server cannot listen at {where}: " in done.stderr
    assert "--xds" in done.stderr


def test_a_file_that_is_no_kubeconfig_is_told(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("root:x:0:0:root:/root")
    done = serai("controller", "--kubeconfig", str(tmp_path / "config"))

    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert f"no way to an API server: {tmp_path / 'config'} is no kubeconfig" in done.stderr


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("ratelimit", ".", "--admin", "foo"), "'foo' is not an address such as"),
        (("controller", "--discovery-namespace-selectors", "foo"), "'foo' is not JSON such as"),
        (("run", "shop", "--drain-seconds", "-1"), "--drain-seconds"),
    ],
)
def test_values_that_make_no_sense_are_told(command: tuple[str, ...], said: str) -> None:
    done = serai(*command)

    assert done.returncode in {1, 2} and "Traceback" not in done.stderr
    assert said in done.stderr
