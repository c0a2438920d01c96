"""Cards: the newest values, ready to be shown."""

from aurigraph_nb import widgets

from .doubles import a_status, a_topic_status


def items_of(message):
    return {item["label"]: item for item in message["items"]}


def shown(desk, widget):
    return items_of(desk.open(widget).one())


def test_before_the_first_record_a_card_is_empty(desk, feed):
    message = desk.open(widgets.MetricsCard(feed)).one()
    assert (message["items"], message["at"]) == ([], None)
    assert desk.open(widgets.ConsensusState(feed)).one()["items"] == []


def test_metrics_stand_on_the_card_as_text(desk, feed):
    feed["metrics"].put(tps=8_512_345.0, cpu_percent=41.26, memory_percent=70.0, connections=1234, error_rate=0.0025)
    items = shown(desk, widgets.MetricsCard(feed))
    texts = {label: item["text"] for label, item in items.items()}
    assert texts == {
        "TPS": "8.51M",
        "CPU": "41.3%",
        "Memory": "70.0%",
        "Connections": "1,234",
        "Error rate": "0.25%",
    }
    assert items["TPS"]["hint"] == "8,512,345 tx/s"
    assert (items["CPU"]["level"], items["Memory"]["level"]) == (0.4126, 0.7)


def test_a_bar_stays_on_its_scale_while_the_text_says_what_was_sent(desk, feed):
    feed["metrics"].put(cpu_percent=104.2, memory_percent=-3.0)
    items = shown(desk, widgets.MetricsCard(feed))
    assert (items["CPU"]["text"], items["CPU"]["level"]) == ("104.2%", 1.0)
    assert (items["Memory"]["text"], items["Memory"]["level"]) == ("-3.0%", 0.0)


def test_memory_in_megabytes_ends_at_a_round_number_above_the_most_seen(desk, feed):
    page = desk.open(widgets.MetricsCard(feed))
    page.take()
    feed["metrics"].put(memory_mb=2048.0)
    memory = items_of(page.one())["Memory"]
    assert (memory["text"], memory["level"]) == ("2.05 GB", 0.512)
    feed["metrics"].put(memory_mb=512.0)
    memory = items_of(page.one())["Memory"]
    assert memory["level"] == 0.128 and "ends at 4.00 GB" in memory["hint"]


def test_what_is_not_known_is_a_dash_and_has_no_bar(desk, feed):
    feed["metrics"].put()
    items = shown(desk, widgets.MetricsCard(feed))
    assert {item["text"] for item in items.values()} == {"–"}
    assert all(item.get("level") is None for item in items.values())


def test_rows_between_two_messages_are_counted_as_merged(desk, feed):
    card = widgets.MetricsCard(feed)
    page = desk.open(card)
    page.take()
    for _ in range(5):
        feed["metrics"].put(tps=1.0)
    page.take()
    assert card.flow.merged == 4


def test_the_consensus_stands_on_its_card(desk, feed):
    feed["consensus"].put(
        leader="validator-7",
        state="COMMITTED",
        epoch=12,
        round=1200,
        term=3,
        performance_percent=97.5,
        active_validators=19,
        total_validators=20,
        last_block_time=1.5,
        average_block_time=2.0,
        health="OPTIMAL",
    )
    items = shown(desk, widgets.ConsensusState(feed))
    assert {label: item["text"] for label, item in items.items()} == {
        "Leader": "validator-7",
        "State": "COMMITTED",
        "Health": "OPTIMAL",
        "Epoch": "12",
        "Round": "1,200",
        "Term": "3",
        "Performance": "97.5%",
        "Validators": "19 of 20 active",
        "Last block time": "1.5",
        "Average block time": "2",
    }
    assert items["Last block time"]["hint"] == "as sent"


def test_a_consensus_without_a_leader_says_none(desk, feed):
    feed["consensus"].put(leader=None, active_validators=5)
    items = shown(desk, widgets.ConsensusState(feed))
    assert (items["Leader"]["text"], items["State"]["text"]) == ("None", "–")
    assert items["Validators"]["text"] == "5 active"
    assert "Health" not in items


def test_validators_that_nobody_counted_are_a_dash(desk, feed):
    feed["consensus"].put(leader="a")
    assert shown(desk, widgets.ConsensusState(feed))["Validators"]["text"] == "–"


# ---- values that are not those of now


def stale_of(desk, feed, **changes):
    """What the card says of its age after the feed's status has changed."""
    feed["metrics"].put(tps=1.0)
    page = desk.open(widgets.MetricsCard(feed))
    assert page.one()["stale"] is None
    feed.status = a_status(**changes)
    return page.take(1)[-1][0]["stale"]


def test_values_of_a_feed_without_connection_say_so(desk, feed):
    assert stale_of(desk, feed, state="RECONNECTING") == "no connection"


def test_values_of_a_silent_topic_say_so(desk, feed):
    assert stale_of(desk, feed, topics={"metrics": a_topic_status(stale=True)}) == "silent"


def test_the_values_of_a_run_that_is_over_say_so(desk, feed):
    assert stale_of(desk, feed, state="DISCONNECTED", ended=True) == "ended"


def test_once_rows_come_again_the_values_are_those_of_now(desk, feed):
    feed["metrics"].put(tps=1.0)
    feed.status = a_status(state="RECONNECTING")
    page = desk.open(widgets.MetricsCard(feed))
    assert page.take(1)[-1][0]["stale"] == "no connection"
    feed.status = a_status()
    assert page.take(1)[-1][0]["stale"] is None


def test_a_card_without_values_has_no_age(desk, feed):
    feed.status = a_status(state="RECONNECTING")
    assert desk.open(widgets.MetricsCard(feed)).take(1)[-1][0]["stale"] is None


def test_throughput_has_its_unit(desk, feed):
    feed["metrics"].put(tps=8_512_345.0)
    items = shown(desk, widgets.MetricsCard(feed))
    assert (items["TPS"]["text"], items["TPS"]["unit"]) == ("8.51M", "tx/s")
    assert "unit" not in items["CPU"]
