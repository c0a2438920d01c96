"""The harness itself: that it sees what it is there to see."""

import sys

import pytest

from .harness import is_here, open_page, until


def test_a_notebook_runs_in_the_environment_under_test(lab, lab_page):
    name = lab.write("runs.ipynb", ["import sys, aurigraph_nb", "print(sys.prefix)", "6 * 7"])
    lab_page.open(name).run_all()
    assert [text.strip() for text in lab_page.outputs()] == ["", sys.prefix, "42"]
    assert lab_page.kernel_status() == "idle"
    assert lab_page.execute("print(6 * 9)").strip() == "54"


def test_the_kernel_outlives_a_reload_of_the_page(lab, lab_page):
    lab_page.open(lab.write("reloads.ipynb", ["kept = 1"])).run_all()
    before = lab_page.kernel_id()
    lab_page.reload()
    assert lab_page.kernel_id() == before
    assert lab_page.execute("print(kept)").strip() == "1"


def test_a_saved_notebook_can_be_read(lab, lab_page):
    lab_page.open(lab.write("saved.ipynb", ["1 + 1"])).run_all()
    lab_page.save()
    assert lab.read("saved.ipynb").cells[0].outputs[0].data["text/plain"] == "2"


def test_an_ipywidget_talks_to_its_kernel_over_a_counted_socket(lab, lab_page):
    cell = "import ipywidgets\nslider = ipywidgets.IntSlider(3, description='level')\nslider"
    lab_page.open(lab.write("widget.ipynb", [cell])).run_all()
    label = lab_page.page.locator(".jp-OutputArea-output .widget-label")
    until(lambda: label.all_text_contents() == ["level"], "the slider")
    before = lab_page.widget_traffic()
    lab_page.execute("slider.description = 'height'")
    until(lambda: label.all_text_contents() == ["height"], "the new label")
    after = lab_page.widget_traffic()
    assert after > before


def test_errors_of_cells_scripts_and_foreign_requests_are_all_seen(lab, context):
    cells = [
        "1 / 0",
        "from IPython.display import Javascript\nJavascript(\"console.error('from the page')\")",
        "Javascript(\"fetch('http://elsewhere.invalid/x').catch(() => {})\")",
    ]
    with open_page(lab, context) as tab:
        tab.open(lab.write("errors.ipynb", cells))
        for index in range(len(cells)):
            tab.run_cell(index)
        tab.page.wait_for_timeout(1)  # lets the driver hand over what came
        assert tab.cell_errors() == ["ZeroDivisionError: division by zero"]
        assert any("from the page" in text for text in tab.console_errors)
        assert tab.foreign == ["http://elsewhere.invalid/x"]
        with pytest.raises(AssertionError, match="asked other machines"):
            tab.assert_clean()
    lab.end_kernels()


@pytest.mark.parametrize(
    "address, here",
    [
        ("http://127.0.0.1:8888/lab", True),
        ("ws://localhost:1/x", True),
        ("data:text/plain,x", True),
        ("https://cdn.example/plotly.js", False),
        ("http://127.0.0.1.example/", False),
    ],
)
def test_what_is_on_this_machine(address, here):
    assert is_here(address) is here
