import pytest
from runs import run

from llm_canaries.canary.canary import Severity
from llm_canaries.canary.exit_code import exit_code
from llm_canaries.canary.holds import HoldReason

PASS, SKIP = run("pass"), run("skip", "text_only_model")
FAIL, WARN = run("fail", "html"), run("fail", "html", severity="warning")
UNDECIDED = run("inconclusive", "counts_absent")
HELD = run("skip", HoldReason.RETRY_AFTER)


@pytest.mark.parametrize(
    ("runs", "fail_on", "allow", "code"),
    [
        ([PASS], "warning", False, 0),
        ([PASS, SKIP], "warning", False, 0),
        ([PASS, FAIL], "warning", False, 1),
        ([PASS, FAIL], "critical", False, 1),
        ([PASS, WARN], "warning", False, 1),
        ([PASS, WARN], "critical", False, 0),
        ([PASS, UNDECIDED], "warning", False, 3),
        ([PASS, HELD], "warning", False, 3),
        ([PASS, HELD], "warning", True, 0),
        ([PASS, UNDECIDED], "warning", True, 0),
        ([FAIL, UNDECIDED], "warning", True, 1),
        ([WARN, UNDECIDED], "critical", False, 3),
        ([], "warning", False, 3),
        ([], "warning", True, 0),
        ([SKIP], "warning", False, 3),
        ([SKIP], "warning", True, 0),
    ],
)
def test_exit_code(runs, fail_on, allow, code):
    assert exit_code(runs, fail_on=Severity(fail_on), allow_undecided=allow) == code
