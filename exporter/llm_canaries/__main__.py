"""`python -m llm_canaries` is `canaries`."""

from llm_canaries.cli.main import main

main(prog_name="canaries")
