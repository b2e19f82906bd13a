"""The command `canaries`: a lazy table, so that no command pays for another's imports."""

import importlib
from collections.abc import Mapping

import click

COMMANDS: Mapping[str, tuple[str, str]] = {  # name: module below cli, one line for --help
    "run": ("run", "Send canaries once and judge the answers; the exit code is the verdict."),
    "compare": ("compare", "Run the same cases at two gateways and report what got worse."),
    "list": ("list_cases", "List the cases that a configuration means."),
    "show": ("show", "Show one canary: what it asks, of whom, with which parameters."),
    "onboard": ("onboard", "Check a new provider block, watch it, and say whether it is ready for traffic."),
    "client-route": ("client_route", "Check that a client with this environment reaches the gateway."),
    "evidence": ("evidence", "Show the evidence of a run: what was sent, what came and when, why it failed."),
    "replay": ("replay", "Judge a run again: offline on its recorded bytes, or live with --send."),
    "explain": ("explain", "Explain a reason or an alert: what it means, what to check, what to do."),
    "check": ("check", "Check a configuration and the definitions; all problems at once."),
    "serve": ("serve", "Run the sidecar: canaries on a schedule, metrics, alerts, notifications."),
    "proxy": ("proxy", "Serve the embedded core over HTTP: a small gateway in four dialects."),
    "rules": ("rules", "Check rule files, run their tests, evaluate expressions, replay history."),
    "notify": ("notify", "Check the receivers, or send each a test message."),
    "schema": ("schema", "Print the JSON Schema of canaries.yml, for editors."),
    "mutants": ("mutants", "Prove that canaries catch every known fault, and fail nothing that is healthy."),
    "mirror": ("mirror", "Serve the mirror provider: a healthy model, and one for every fault."),
}


class LazyCommands(click.Group):
    """Commands that are imported when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the table's order."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported now."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"llm_canaries.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table itself: --help imports no command."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=LazyCommands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="llm-canaries", prog_name="canaries")
def main() -> None:
    """Canary requests for LLM gateways: judges what the answers mean, and says whose fault a failure is.

    Try `canaries run`: it needs no key and no configuration.
    """
