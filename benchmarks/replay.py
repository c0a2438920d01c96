"""Replay: events a second at full speed, from the journal to the topics; and how exactly a pace is kept."""

from __future__ import annotations

import time

import aurigraph_nb as ag

from .harness import Clocked, options, run, tell


def main() -> None:
    chosen = options(__doc__ or "")
    duration = "2h" if chosen.full else "10min"
    recording = ag.sample("steady", duration=duration, seed=7, rate=200.0)
    events = sum(recording[topic].store.count or len(recording[topic].to_arrow()) for topic in recording.topics)

    def full_speed() -> dict[str, float]:
        with Clocked() as clocked:
            feed = ag.replay(recording, speed="max", name="benchmark")
            feed.join(timeout=600)
        feed.close()
        return {"events_per_s": events / clocked.wall_s, "cpu_us": clocked.cpu_s / events * 1e6}

    def pacing() -> dict[str, float]:
        """Lateness of each row at 1x, over three seconds."""
        errors: list[float] = []
        feed = ag.replay(recording, speed=1, name="benchmark", paused=True)
        zero: list[float] = []

        def came(rows: list[object]) -> None:
            now = time.perf_counter()
            for row in rows:
                at = row.recv_ns / 1e9  # type: ignore[attr-defined]
                if not zero:
                    zero.append(now - at)
                errors.append(abs(now - at - zero[0]) * 1e3)

        subscriptions = [topic.on_record(came, batch=True) for topic in feed if topic.opened]
        feed.resume()
        time.sleep(3.0)
        for subscription in subscriptions:
            subscription.close()
        feed.close()
        errors.sort()
        return {"rows": len(errors), "p50_ms": errors[len(errors) // 2], "p99_ms": errors[int(len(errors) * 0.99)]}

    cases = {"full speed": full_speed, "pace 1x": pacing}
    tell(run("replay", cases, rounds=chosen.rounds, facts={"events": events}), as_json=chosen.json)


if __name__ == "__main__":
    main()
