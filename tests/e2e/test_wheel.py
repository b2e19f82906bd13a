"""The built wheel, installed into a clean venv, runs without the checkout."""

import json
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    out = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--outdir", str(out), str(ROOT)]
    done = subprocess.run(build, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = out.glob("llm_canaries-*.whl")
    return path


def test_holds_the_content_and_no_tests(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {name for name in names if name.startswith("llm_canaries/_content/canaries/")} == {
        f"llm_canaries/_content/canaries/{path.name}" for path in (ROOT / "canaries").glob("*.yml")
    }
    assert "llm_canaries/_content/rules/canaries.yml" in names
    assert "llm_canaries/_content/grafana/canaries.json" in names
    assert "llm_canaries/service/web/index.html" in names
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"llm_canaries"}
    assert "llm_canaries/canary/reasons/transport.yml" in names
    assert "llm_canaries/proxy/profile_files/iflow.yml" in names
    assert "llm_canaries/py.typed" in names


def test_runs_in_a_clean_venv(wheel, tmp_path):
    place = tmp_path / "venv"
    venv.create(place, with_pip=True)
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    install = [place / "bin/python", "-m", "pip", "--disable-pip-version-check", "--quiet", "install", wheel]
    subprocess.run(install, check=True, timeout=300, env=environ)
    ran = subprocess.run(
        [place / "bin/canaries", "run", "--json", "runs.json"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=60,
        env=environ,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    runs = json.loads((tmp_path / "runs.json").read_text())["runs"]
    assert {each["outcome"] for each in runs} == {"pass"}
    where = "import llm_canaries.content as c; print(sorted(c.content('canaries')), c.__file__)"
    rules = subprocess.run([place / "bin/canaries", "rules", "check"], capture_output=True, text=True, env=environ)
    assert rules.returncode == 0, rules.stderr
    told = subprocess.run([place / "bin/python", "-c", where], capture_output=True, text=True, env=environ, check=True)
    assert "known-good.yml" in told.stdout
    assert str(place) in told.stdout
