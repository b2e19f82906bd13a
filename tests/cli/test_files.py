"""cli/files.py: where reports go, told before anything is sent; and the system's words without what they repeat."""

import errno
import socket
from urllib.error import URLError

import pytest
from commands import canaries

from llm_canaries.cli.files import plainly


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (("run", "--json", "nowhere/runs.json"), "nowhere/runs.json: cannot be written: No such file or directory"),
        (("run", "--junit", "."), ".: cannot be written: Is a directory"),
        (("run", "--json", "-", "--sarif", "-"), "only one report can go to standard output"),
        (("compare", "embedded", "embedded", "--sarif", "nowhere/x"), "nowhere/x: cannot be written"),
        (("onboard", "mirror", "--json", "nowhere/x"), "nowhere/x: cannot be written"),
        (("mutants", "--json", "nowhere/x"), "nowhere/x: cannot be written"),
    ],
)
def test_a_report_that_cannot_be_written_is_told_before_anything_is_sent(command, told, tmp_path):
    done = canaries(*command, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert told in done.stderr


def test_plainly():
    refused = ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed ('127.0.0.1', 1)")
    assert plainly(refused) == "connection refused"
    assert plainly(URLError(refused)) == "connection refused"
    assert plainly(URLError("no host given")) == "<urlopen error no host given>"
    assert plainly(socket.gaierror(-2, "Name or service not known")) == "Name or service not known"
