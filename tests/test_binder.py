"""Binder: the files that it reads are sound, and its steps, replayed in a fresh environment, end in a tour that runs.

The replay takes minutes and needs a package index: ``-m long`` runs it, and so does AURIGRAPH_NB_REQUIRE_BINDER=1.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
import tomllib
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from packaging.requirements import Requirement

CHECKOUT = Path(__file__).parents[1]
BINDER = CHECKOUT / "binder"
EXTRAS = {"lab", "research", "scale", "export"}
TOUR = "01-tour.ipynb"
LINK = re.compile(r"https://mybinder\.org/v2/gh/[^\s)\]\"'>]+")
DEMANDED = os.environ.get("AURIGRAPH_NB_REQUIRE_BINDER") == "1"

pytestmark = pytest.mark.skipif(not BINDER.is_dir(), reason="only a checkout has the folder binder")


def project():
    return tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def needed(extras, told):
    """What the package needs with some extras, the extras of extras included."""
    found = set()
    for line in [*told["dependencies"], *(one for extra in extras for one in told["optional-dependencies"][extra])]:
        requirement = Requirement(line)
        if requirement.name == told["name"]:
            found |= needed(requirement.extras, told)
        else:
            found.add(str(requirement))
    return found


def binder_links():
    return LINK.findall((CHECKOUT / "README.md").read_text(encoding="utf-8"))


# ---- the files


def test_the_interpreter_is_one_that_the_package_supports():
    (word,) = (BINDER / "runtime.txt").read_text(encoding="utf-8").split()
    version = word.removeprefix("python-")
    assert version == "3.12"
    assert f"Programming Language :: Python :: {version}" in project()["classifiers"]


def test_the_pins_are_those_of_the_project():
    lines = (BINDER / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pins = {str(Requirement(line)) for line in lines if line and not line.startswith("#")}
    assert pins == needed(EXTRAS, project())


@pytest.mark.parametrize("name", ["postBuild", "start"])
def test_a_script_can_be_run_and_stops_at_its_first_error(name):
    path = BINDER / name
    text = path.read_text(encoding="utf-8")
    assert text.startswith("#!/usr/bin/env bash\n")
    assert "\nset -euo pipefail\n" in text
    assert "\r" not in text
    assert path.stat().st_mode & stat.S_IXUSR, f"chmod +x {name}"
    assert subprocess.run(["bash", "-n", str(path)], timeout=30).returncode == 0


def test_the_checkout_is_installed_and_not_a_published_package():
    text = (BINDER / "postBuild").read_text(encoding="utf-8")
    (extras,) = re.findall(r"pip install .*'\.\[([\w,]+)\]'", text)
    assert set(extras.split(",")) == EXTRAS
    assert project()["name"] not in (BINDER / "requirements.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("given, idle", [({}, "15min"), ({"AURIGRAPH_NB_DEMO_IDLE": "2h"}, "2h")])
def test_the_start_makes_a_demo_of_what_it_starts(given, idle):
    environment = {"PATH": os.environ["PATH"], **given}
    line = [str(BINDER / "start"), "bash", "-c", 'echo "$AURIGRAPH_NB_DEMO_IDLE" "$1"', "_", "a b"]
    result = subprocess.run(line, env=environment, capture_output=True, text=True, timeout=30)
    assert (result.returncode, result.stdout) == (0, f"{idle} a b\n"), result.stderr


# ---- the front page


def test_the_front_page_links_to_notebooks_that_exist():
    links = binder_links()
    assert links, "README.md has no link to mybinder.org"
    opened = []
    for link in links:
        parts = urlsplit(link)
        assert re.fullmatch(r"/v2/gh/[\w.-]+/[\w.-]+/[\w./-]+", parts.path), link
        (place,) = parse_qs(parts.query)["urlpath"]
        path = unquote(place).removeprefix("lab/tree/")
        assert place.startswith("lab/tree/"), link
        assert (CHECKOUT / path).is_file(), link
        opened.append(Path(path).name)
    assert TOUR in opened


def test_the_front_page_has_a_badge():
    readme = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    assert re.search(r"\[!\[[^\]]+\]\([^)]+\)\]\(https://mybinder\.org/v2/gh/", readme)


# ---- the steps, as Binder goes them


def is_312(python):
    code = "import sys, venv, ensurepip; sys.exit(sys.version_info[:2] != (3, 12))"
    try:
        return subprocess.run([python, "-c", code], capture_output=True, timeout=60).returncode == 0
    except OSError:
        return False


def an_interpreter():
    """Python 3.12 where there is one, else the one that runs the tests."""
    kept = sorted(Path.home().glob(".pyenv/versions/3.12*/bin/python"), reverse=True)
    candidates = [sys.executable, shutil.which("python3.12"), *map(str, kept)]
    return next((python for python in candidates if python and is_312(python)), sys.executable)


def own_environment(venv, home):
    """Nothing of whoever runs the tests, but where packages come from."""
    foreign = ("PYTHON", "PYTEST", "VIRTUAL_ENV", "JUPYTER", "AURIGRAPH", "COV_", "COVERAGE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    folders = {name: str(home / name.lower()) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR")}
    path = os.pathsep.join([str(venv / "bin"), kept.get("PATH", os.defpath)])
    return {**kept, **folders, "JUPYTER_RUNTIME_DIR": str(home / "runtime"), "PATH": path}


def run(*line, cwd, env, limit_s=900):
    result = subprocess.run(
        [str(part) for part in line], cwd=cwd, env=env, capture_output=True, text=True, timeout=limit_s
    )
    assert result.returncode == 0, f"{line}\n{result.stdout[-3000:]}\n{result.stderr[-3000:]}"
    return result.stdout


def long_unless_demanded(test):
    return test if DEMANDED else pytest.mark.long(test)


def copy_of_the_checkout(to):
    """What Binder would clone."""
    made = (".git", ".*_cache", "__pycache__", "dist", "build", ".venv", ".hypothesis")
    shutil.copytree(CHECKOUT, to, ignore=shutil.ignore_patterns(*made))
    return to


@pytest.mark.skipif(os.name != "posix", reason="Binder's images are Linux")
@long_unless_demanded
def test_the_steps_of_binder_end_in_a_tour_that_runs(tmp_path):
    copy = copy_of_the_checkout(tmp_path / "checkout")
    venv = tmp_path / "venv"
    subprocess.run([an_interpreter(), "-m", "venv", str(venv)], check=True, timeout=300)
    env = own_environment(venv, tmp_path)
    run("python", "-m", "pip", "install", "--no-cache-dir", "-r", "binder/requirements.txt", cwd=copy, env=env)
    out = run("binder/postBuild", cwd=copy, env=env)
    installed = Path(re.search(r"installed: \S+ (.+)", out)[1])
    assert venv in installed.parents, "the checkout was imported instead of what was installed"
    run("python", "-m", "pip", "check", cwd=copy, env=env)
    line = ["jupyter", "nbconvert", "--to", "notebook", "--execute", "--output-dir", tmp_path, f"notebooks/{TOUR}"]
    run("binder/start", *line, cwd=copy, env=env)
    assert '"output_type": "error"' not in (tmp_path / TOUR).read_text(encoding="utf-8")


@pytest.mark.skipif(
    shutil.which("jupyter-repo2docker") is None and not DEMANDED, reason="needs jupyter-repo2docker on the path"
)
def test_repo2docker_accepts_the_checkout(tmp_path):
    copy = copy_of_the_checkout(tmp_path / "checkout")
    env, home = dict(os.environ), tmp_path / "tools"
    if shutil.which("jupyter-repo2docker") is None:
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True, timeout=300)
        env = own_environment(home, tmp_path)
        run("python", "-m", "pip", "install", "--no-cache-dir", "jupyter-repo2docker", cwd=tmp_path, env=env)
    line = ["jupyter-repo2docker", "--no-build", "--debug", "."]
    result = subprocess.run(line, cwd=copy, env=env, capture_output=True, text=True, timeout=300)
    told = result.stdout + result.stderr
    assert result.returncode == 0, told[-3000:]
    for step in ("binder/requirements.txt", "./binder/postBuild", "binder/start"):
        assert step in told, f"{step} is no part of the image"
    assert "3.12" in told
