"""Runs as JSON, for scripts."""

import json
from collections.abc import Sequence

from llm_canaries.canary.canary import Run
from llm_canaries.canary.report.rows import row


def json_report(runs: Sequence[Run]) -> str:
    """`{"runs": [...]}`, indented, with a final newline."""
    return json.dumps({"runs": [row(run) for run in runs]}, indent=2, ensure_ascii=False) + "\n"
