"""Charts with one time axis."""

import pytest

from aurigraph_nb import widgets
from aurigraph_nb.errors import BadOption, BadOptionType
from aurigraph_nb.widgets.chart_links import link_time


@pytest.fixture
def charts(desk, feed):
    return [widgets.LiveChart(feed["metrics"], y=name) for name in ("tps", "cpu_percent", "connections")]


def groups(charts):
    return [chart._group for chart in charts]


def test_linked_charts_carry_the_name_of_one_group(charts):
    assert groups(charts) == [""] * 3
    link = link_time(charts[0], charts[1])
    first, second, third = groups(charts)
    assert first == second != ""
    assert third == ""
    assert link.charts == (charts[0], charts[1])
    assert repr(link) == "<TimeLink of 2 charts>"


def test_a_chart_links_itself_and_brings_its_partners(charts):
    first = charts[0].link(charts[1])
    second = charts[2].link(charts[1])
    assert len(set(groups(charts))) == 1
    assert set(second.charts) == set(charts)
    assert first.charts == ()
    first.close()
    assert groups(charts)[0] != ""


def test_closing_a_link_frees_its_charts(charts):
    with charts[0].link(charts[1]) as link:
        assert charts[0].time_link is link
    link.close()
    assert groups(charts) == [""] * 3
    assert charts[0].time_link is None


def test_the_name_reaches_the_page(charts):
    link_time(*charts)
    assert charts[0].comm.updates[-1]["state"]["_group"] == charts[0]._group


def test_less_than_two_charts_and_other_things_are_refused(charts):
    with pytest.raises(BadOption, match="two different charts"):
        link_time(charts[0], charts[0])
    with pytest.raises(BadOption, match="two different charts"):
        link_time()
    with pytest.raises(BadOptionType, match="not str"):
        link_time(charts[0], "other")
