"""Scripts and styles lose blanks and comments, and nothing else."""

import re
import shutil
import subprocess

import pytest

from aurigraph_nb.widgets import assets
from aurigraph_nb.widgets.squeeze import squeeze_script, squeeze_style

STATIC = sorted(path.stem for path in assets._STATIC.glob("*.js"))


@pytest.mark.parametrize(
    "line, squeezed",
    [
        ('say("a  //  b");', 'say("a  //  b");'),
        ("say('it\\'s  so'); // why", "say('it\\'s  so');"),
        ('const t = `a  ${b ? `c  ${d}` : "e  }"}  f` ;', 'const t=`a  ${b ? `c  ${d}` : "e  }"}  f`;'),
        ("return / [/ ] +/.test(x) ;", "return / [/ ] +/.test(x);"),
        ("const half = a / b / 2;", "const half=a/b/2;"),
        ("a + +b - -c + d++ - e", "a+ +b- -c+d++-e"),
        ("if (a) return -1 ;", "if(a)return -1;"),
        ('x.replace(/"/g, "  ") // quotes', 'x.replace(/"/g,"  ")'),
        ("async function f() {", "async function f(){"),
        ("// nothing", ""),
    ],
)
def test_a_line_keeps_what_it_says(line, squeezed):
    made = squeeze_script(line).rstrip("\n")
    assert re.sub(r"\s+(?=[+-])|(?<=[+-])\s+", "", made) == re.sub(r"\s+(?=[+-])|(?<=[+-])\s+", "", squeezed)
    assert "++b" not in made and "--c" not in made


def test_a_style_keeps_what_it_says():
    source = (
        '.a  .b > .c {\n  color: red;\n  width: calc(1px + 2%);\n}\n@media (a: b) { .d::before { content: "x ;  y"; } }'
    )
    assert squeeze_style(source) == (
        '.a .b > .c{color:red;width:calc(1px + 2%)}@media (a:b){.d::before{content:"x ;  y"}}\n'
    )


@pytest.mark.parametrize("name", STATIC)
def test_no_text_of_a_script_spans_lines(name):
    for line in assets._read(f"{name}.js").splitlines():
        assert line.count("`") % 2 == 0, line
    assert "/*" not in assets._read(f"{name}.js").replace("/* webpackIgnore: true */", "")


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
@pytest.mark.parametrize("name", ["banner", "card", "chart", "log", "status", "table"])
def test_a_squeezed_script_is_a_script(name, tmp_path):
    path = tmp_path / f"{name}.mjs"
    path.write_text(assets.script(name), encoding="utf-8")
    checked = subprocess.run(["node", "--check", path], capture_output=True, text=True, timeout=60)
    assert checked.returncode == 0, checked.stderr
