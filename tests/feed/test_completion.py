"""What completion offers: everything that README and notebooks use, and nothing that is for this package alone."""

import json
import re
from pathlib import Path

import pytest

import aurigraph_nb as ag
from aurigraph_nb.feed import Feed
from aurigraph_nb.reading.recording import Recording
from aurigraph_nb.reading.topics import RECORDED_TYPES, Recorded
from aurigraph_nb.replay import Replay
from aurigraph_nb.schema import arrow_schema
from aurigraph_nb.topic import Topic
from aurigraph_nb.topics import TOPIC_TYPES

PACKAGE = Path(ag.__file__).parent
CHECKOUT = Path(__file__).parents[2]
LIMIT_S = 30


@pytest.fixture(scope="module")
def rec():
    return ag.sample(duration="10s", seed=7)


@pytest.fixture(scope="module")
def feed(rec):
    with ag.replay(rec, speed="max") as feed:
        feed.join(timeout=LIMIT_S)
        yield feed


def offered(thing):
    return {name for name in dir(thing) if not name.startswith("_")}


def documented():
    """The source texts that users read: README, and the code of the notebooks."""
    readme = CHECKOUT / "README.md"
    if not readme.is_file():
        pytest.skip("the README and the notebooks are in the checkout alone")
    yield from re.findall(r"```python\n(.*?)```", readme.read_text(encoding="utf-8"), re.DOTALL)
    yield from re.findall(r"`([^`\n]+)`", readme.read_text(encoding="utf-8"))
    for path in sorted((CHECKOUT / "notebooks").glob("*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] == "code":
                yield "".join(cell["source"])


def used(names):
    """What is read off the variables that are called so: (attribute, attribute of that or None)."""
    found = set()
    for text in documented():
        for _, first, second in re.findall(rf"(?<![\w./])({names})\.([a-z]\w*)(?:\.([a-z]\w*))?", text):
            found.add((first, second or None))
    return found


@pytest.mark.parametrize("names, which", [("feed|live|replayed", "feed"), ("rec", "rec")])
def test_whatever_readme_and_notebooks_use_is_offered(names, which, feed, rec):
    thing = {"feed": feed, "rec": rec}[which]
    topics = {name: offered(thing[name]) for name in thing.topics}
    seen = used(names)
    assert len(seen) > 5
    for first, second in seen:
        kinds = {Feed, Replay, Recording, *Feed.__subclasses__()} if which == "feed" else {type(thing)}
        assert first in offered(thing) or any(first in offered(kind) for kind in kinds), first
        if first in topics and second is not None:
            assert second in topics[first], f"{first}.{second}"


KINDS = {Feed, Replay, Recording, Topic, Recorded, *TOPIC_TYPES.values(), *RECORDED_TYPES.values()}


@pytest.mark.parametrize("kind", sorted(KINDS, key=lambda kind: kind.__name__), ids=lambda kind: kind.__name__)
def test_what_is_hidden_is_there_to_be_hidden(kind):
    hidden = {name for base in kind.__mro__ for name in vars(base).get("_PLUMBING", ())}
    assert hidden and not hidden & set(dir(kind))
    text = "".join(path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py"))
    gone = [name for name in hidden if not hasattr(kind, name) and f"self.{name}" not in text]
    assert not gone, "these names are hidden, and nobody has them any more"


def test_methods_without_a_word_in_the_documentation_that_only_the_package_calls_are_hidden(feed, rec):
    """A name that is offered has a docstring, so that who finds it can ask what it is."""
    for thing in (feed, rec, feed.validators, rec.validators):
        for name in offered(thing):
            member = getattr(type(thing), name, None)
            if callable(member) or isinstance(member, property):
                doc = member.__doc__ or getattr(member, "fget", member).__doc__
                assert doc or name in {"closed", "feed"}, f"{type(thing).__name__}.{name}"


@pytest.mark.parametrize("plumbing", ["intake", "tap", "link_of", "check_usable", "tell", "viewed", "bring_up"])
def test_plumbing_is_not_offered_and_still_works(plumbing, feed, rec):
    for thing in (feed, rec):
        assert plumbing not in dir(thing) and hasattr(thing, plumbing)


def test_a_recording_does_not_offer_what_would_raise(rec):
    assert not {"connect", "reconnect", "record", "send", "join"} & offered(rec)
    assert not {"wait", "take", "on_record"} & offered(rec.metrics)
    assert {"sql", "export", "info", "verify", "gaps", "metrics", "topics"} <= offered(rec)
    assert {"at", "scan", "to_dask", "to_pandas", "current"} <= offered(rec.validators)


@pytest.mark.parametrize("jedi", [False, True])
def test_the_completer_of_ipython_shows_the_same(jedi, feed, rec):
    completer_of = pytest.importorskip("IPython.core.completer")
    if jedi:
        pytest.importorskip("jedi")
    completer = completer_of.IPCompleter(namespace={"feed": feed, "rec": rec})
    completer.use_jedi = jedi
    with completer_of.provisionalcompleter():
        for name, thing in (("feed", feed), ("rec", rec)):
            shown = {found.text.lstrip(".") for found in completer.completions(f"{name}.", len(name) + 1)}
            assert shown == offered(thing)
        keys = {found.text.strip("'\"]") for found in completer.completions("feed['", 6)}
        assert set(feed.topics) <= keys


# ---- names that do not exist


def test_a_column_that_is_taken_for_an_attribute_is_explained(feed):
    for name in set(arrow_schema(feed.metrics.record_type).names) - set(dir(Topic)):
        if hasattr(feed.metrics, name):
            continue
        with pytest.raises(AttributeError) as caught:
            getattr(feed.metrics, name)
        assert f"feed.metrics.to_pandas()['{name}']" in str(caught.value)
        assert f"feed.metrics.latest.{name}" in str(caught.value)
    with pytest.raises(AttributeError, match=r"feed\.metrics\.tps is a column"):
        feed.metrics.tps  # noqa: B018 - reading it is what is tried


@pytest.mark.parametrize(
    "ask, guess",
    [
        (lambda feed: feed.metrics.tpss, "Did you mean tps?"),
        (lambda feed: feed.metrics.to_panda, "Did you mean to_pandas"),
        (lambda feed: feed.metric, "Did you mean metrics?"),
        (lambda feed: feed["metric"], "Did you mean metrics?"),
        (lambda feed: feed.statu, "Did you mean status or stats?"),
        (lambda feed: feed.metrics.to_pandas(["tsp"]), "Did you mean tps?"),
        (lambda feed: feed.metrics.to_arrow("tsp"), "Did you mean tps?"),
    ],
)
@pytest.mark.parametrize("which", ["feed", "rec"])
def test_a_name_that_is_nearly_right_is_answered_by_the_right_one(ask, guess, which, feed, rec):
    with pytest.raises((AttributeError, LookupError, ValueError)) as caught:
        ask({"feed": feed, "rec": rec}[which])
    assert guess in str(caught.value)


def test_a_name_of_any_length_makes_no_long_error(rec):
    for ask in (lambda: rec["x" * 100_000], lambda: getattr(rec, "x" * 100_000)):
        with pytest.raises(ag.UnknownTopic) as caught:
            ask()
        assert len(str(caught.value)) < 400


def test_nothing_of_the_package_looks_for_what_is_not_there(feed):
    assert not hasattr(feed.metrics, "tps") and not hasattr(feed.metrics, "_tps") and not hasattr(feed, "blocks")
    assert getattr(feed.metrics, "nothing", None) is None
    with pytest.raises(AttributeError, match="is neither an attribute of a topic nor a column"):
        feed.metrics.wholly_unlike_anything  # noqa: B018 - reading it is what is tried


def test_what_a_property_lacks_is_told_by_the_property():
    class Broken(Topic):
        @property
        def broken(self):
            return self.feed.nothing_of_the_kind

    rec = ag.sample(duration="5s")
    topic = Broken(rec, "metrics", rec.metrics.record_type, period_s=None, key=None)
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        topic.broken  # noqa: B018 - reading it is what is tried
