"""One of every live widget, as code for a notebook: whoever adds a widget to the package adds it here by that."""

FEEDS = """import inspect, tempfile
import aurigraph_nb as ag
from aurigraph_nb import widgets
from aurigraph_nb.alerts import alert
from aurigraph_nb.errors import AurigraphError
feeds = [ag.simulate(protocol=system, seed=7) for system in ("portal", "live", "channels", "fakeai")]
portal = feeds[0]
recorder = portal.record(tempfile.mkdtemp())
alarm = alert(portal.metrics, lambda row: True, lambda alarm: None, name=alarm_name)
"""
MAKE = """def kinds():
    named = [getattr(widgets, name) for name in widgets.__all__ if name != "LiveWidget"]
    return [kind for kind in named if inspect.isclass(kind) and issubclass(kind, widgets.LiveWidget)]
def made(kind):
    if kind is widgets.AlertBanner:
        return kind(alarm)
    if kind is widgets.LiveResult:
        return kind(ag.analytics.throughput, portal.metrics, every=1)
    if kind is widgets.RecorderView:
        return kind(recorder)
    if kind is widgets.ReplayControls:
        return kind(ag.replay(ag.sample("outage", duration="1min", seed=7), loop=True))
    if kind in (widgets.LiveChart, widgets.LiveTable, widgets.EventLog):
        return kind(portal.consensus if kind is widgets.EventLog else portal.metrics)
    for feed in feeds:
        try:
            return kind(feed)
        except AurigraphError:
            continue
    raise LookupError(f"no feed for {kind.__name__}")
every = {kind.__name__: made(kind) for kind in kinds()}
"""
SHOW = "import ipywidgets\nipywidgets.VBox(list(every.values()))"


def cells(*, alarm_name: str = "traffic", before: str = "", after: str = "") -> list[str]:
    """Cells of a notebook: feeds (and ``before``), widgets (and ``after``), and the widgets on one page."""
    return [f"alarm_name = {alarm_name!r}\n{FEEDS}{before}", f"{MAKE}{after}", SHOW]
