"""The command that a new user types first, from a folder that holds nothing."""

import os
import sys
from pathlib import Path

from .harness import LAB_OPTIONS, open_page, running, until


def _is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_the_command_serves_the_tour_and_ends_with_its_kernels(tmp_path, context):
    command = str(Path(sys.executable).with_name("aurigraph-nb"))
    mine = tmp_path / "somewhere" / "mine"
    line = [command, "lab", "--no-browser", "--dir", str(mine), "--", *LAB_OPTIONS]
    with running(line, tmp_path / "home", mine) as lab:
        assert (mine / "01-tour.ipynb").is_file()
        with open_page(lab, context) as tab:
            tab.open("01-tour.ipynb")
            kernel = int(tab.execute("import os; print(os.getpid())"))
            tab.assert_clean()
        assert _is_alive(kernel)
    assert lab.process.returncode == 0
    until(lambda: not _is_alive(kernel), "the kernel to end")


def test_a_first_start_asks_nothing_about_news(tmp_path, context):
    mine = tmp_path / "mine"
    options = [option for option in LAB_OPTIONS if "news" not in option and "updates" not in option]
    line = [sys.executable, "-m", "aurigraph_nb", "lab", "--no-browser", "--dir", str(mine), "--", *options]
    with running(line, tmp_path / "home", mine) as lab, open_page(lab, context) as tab:
        tab.open("01-tour.ipynb")
        address = "/lab/api/settings/@jupyterlab/apputils-extension:notification"
        told = tab.page.evaluate(f"async () => (await fetch('{address}')).json()")
        assert told["schema"]["properties"]["fetchNews"]["default"] == "false"
        assert told["settings"] == {}, "what the user set is the user's"
        tab.page.evaluate("() => window.jupyterapp.restored.then(() => true)")
        tab.execute("print(1)")
        assert tab.page.locator(".Toastify__toast").count() == 0
        tab.assert_clean()
