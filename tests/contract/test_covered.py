"""What is known of the wire, sentence by sentence, and the test that holds each.

The live stream, the channel provider and the inference stream have tables of their own beside their decoders
(``COVERED`` in ``tests/protocols``); here are the rules for all, the topic streams, and what a client does.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]

RULES = {
    "unknown type, bad JSON, invalid UTF-8, plain text, binary: counted, kept, survived": (
        "protocols/test_portal.py::test_what_is_not_understood_is_told_and_kept"
    ),
    "wrong field type: null, raw in extra, counted": (
        "protocols/test_portal.py::test_a_field_of_a_wrong_type_is_null_raw_in_extra_and_counted"
    ),
    "a binary frame is a binary frame": "protocols/test_portal.py::test_a_binary_frame_is_not_taken_for_text",
    "nothing raises out of a decoder": (
        "protocols/test_portal.py::test_mutated_valid_frames_never_raise_and_are_all_accounted_for"
    ),
    "ISO with 0-9 digits and Z, an offset or nothing; ms; s; us": (
        "protocols/test_values.py::test_times_are_read_in_all_their_forms"
    ),
    "canonical time is int64 ns UTC, in frames datetime64[ns, UTC]": (
        "feed/test_frames.py::test_types_do_not_depend_on_the_data"
    ),
    "the receive time is stamped on every row": (
        "feed/test_simulate.py::test_two_runs_on_a_virtual_clock_are_equal_to_the_nanosecond"
    ),
    "scales follow the shape, never a value": "protocols/test_portal.py::test_a_scale_is_never_guessed_from_a_value",
    "a frame that mixes shapes gives null for what is doubtful": (
        "protocols/test_portal.py::test_a_scale_that_the_shape_does_not_tell_is_left_open"
    ),
    "fields that nobody named go to extra, counted": (
        "protocols/test_portal.py::test_fields_that_nobody_named_go_to_extra_and_are_counted"
    ),
    "numbers beyond 2^53 are exact; 39 digits and 1.5 are null beside their text": (
        "protocols/test_portal.py::test_amounts_are_exact"
    ),
    "value_unit by shape": "protocols/test_portal.py::test_the_unit_of_a_value_follows_the_shape",
    "local and canonical names are apart": "feed/test_frames.py::test_local_and_canonical_columns_have_different_names",
    "rows of one frame share n": "protocols/test_portal.py::test_the_rows_of_one_frame_share_its_ordinal",
    "n is never reset, conn_epoch counts connections": "feed/test_feed.py::test_a_loss_is_a_gap_and_ordinals_go_on",
}

TOPIC_STREAMS = {
    "five topics in the server shape and in the portal shape": (
        "protocols/test_portal.py::test_each_topic_is_read_in_both_shapes"
    ),
    "every other alias": "protocols/test_portal.py::test_every_other_alias_reaches_its_column",
    "the later envelope on any path": "protocols/test_portal.py::test_the_envelope_gives_the_same_row_on_any_path",
    "nulls in the server shape": "protocols/test_portal.py::test_nulls_are_allowed_everywhere",
    "location and location.coordinates": "protocols/test_portal.py::test_a_location_may_hold_coordinates",
    "quality from the frame, else <50, <100, <150 ms": (
        "protocols/test_portal.py::test_the_quality_of_a_connection_follows_its_latency_where_it_is_not_sent"
    ),
    "one socket a topic, base and prefix configurable": (
        "protocols/test_portal.py::test_a_topics_address_follows_from_any_of_the_urls"
    ),
    "nothing is sent before data is asked for": "feed/test_feed.py::test_nothing_is_sent_before_data_is_asked_for",
    "welcome, acknowledgement, ping, plain-text words of relatives": (
        "protocols/test_portal.py::test_words_of_relatives_are_neither_rows_nor_errors"
    ),
    "pings of relatives are answered": "feed/test_feed.py::test_pings_of_relatives_are_answered",
    "reconnect 1 s, x2, cap 30 s": "test_session.py::test_without_jitter_each_preset_gives_its_documented_series",
    "transactions: 100 kept, newest first, all counted": (
        "state/test_state_transactions.py::test_the_last_hundred_are_kept_and_all_are_counted"
    ),
    "the same hash again updates its row": (
        "state/test_state_transactions.py::test_the_same_hash_again_updates_its_row_in_place_and_counts"
    ),
    "NEW for 5.000 s": (
        "state/test_state_transactions.py::test_a_transaction_is_new_for_exactly_five_seconds_after_arrival"
    ),
    "clear keeps the total": "state/test_state_transactions.py::test_clear_empties_the_list_and_keeps_the_total",
    "validator updates in order, 50, first sight none": (
        "state/test_state_validators.py::test_four_changes_in_one_frame_give_four_updates_in_the_documented_order"
    ),
    "50 updates": "state/test_state_validators.py::test_fifty_updates_are_kept_newest_first",
    "consensus events in order": (
        "state/test_state_consensus.py::test_four_changes_in_one_frame_give_four_events_in_the_documented_order"
    ),
    "performance by more than 5 points": (
        "state/test_state_consensus.py::test_the_performance_has_to_move_by_more_than_five_points"
    ),
    "a null leader shows as None": "state/test_state_consensus.py::test_a_null_leader_shows_as_none",
    "unknown peer, leaving, coming back": (
        "state/test_state_network.py::test_a_known_peer_that_goes_and_comes_back_is_told_both_times"
    ),
    "latency by more than 50 ms": (
        "state/test_state_network.py::test_the_latency_has_to_move_by_more_than_fifty_milliseconds"
    ),
    "version mismatch": "state/test_state_network.py::test_a_version_other_than_the_one_known_is_a_mismatch",
    "100 network events": "state/test_state_network.py::test_a_hundred_events_are_kept_newest_first",
    "network sums": "state/test_state_network.py::test_the_sums_count_bytes_of_all_and_latency_of_connected_peers",
    "network health": (
        "state/test_state_network.py::test_health_follows_the_share_of_connected_peers_and_the_mean_latency"
    ),
    "connections health 0.5 and 0.8": "state/test_state_network.py::test_health_of_connections_follows_their_share",
    "manager: records, totals, events, diagnostics": "feed/test_systems.py::test_all_connections_at_a_glance",
    "12 of 20 seen": "state/test_state_validators.py::test_the_total_of_the_consensus_says_how_many_exist",
    "GET /q/health, DOWN at the threshold": "node/test_http.py::test_health_is_down_from_the_threshold_on",
    "GET /api/v11/websocket/stats": "node/test_http.py::test_rest_answers_next_to_the_streams",
    "Prometheus at /q/metrics": "node/test_http.py::test_prometheus_shows_the_documented_names",
    "CORS with preflight": "node/test_http.py::test_a_preflight_tells_origins_methods_and_headers",
    "TLS": "node/test_tls.py::test_a_client_that_trusts_the_certificate_is_served",
    "the node sends exactly the documented fields": "node/test_wire.py::test_a_frame_has_exactly_the_documented_fields",
}

CLIENT = {
    "which protocol: by path": "protocols/test_tell.py::test_the_path_or_a_known_host_tells_the_topic_streams",
    "1000: again for 1-3": (
        "feed/test_verdicts.py::test_1000_is_followed_by_a_new_connection_for_the_first_three_systems"
    ),
    "1000: stop for 4": "feed/test_verdicts.py::test_1000_ends_the_inference_stream",
    "1001, 1011, 1012, 1013, 1014": "feed/test_verdicts.py::test_what_passes_is_tried_again",
    "1005, 1006": "feed/test_verdicts.py::test_a_broken_connection_is_tried_again",
    "1008 without a token": "feed/test_verdicts.py::test_1008_without_a_token_is_tried_once_more_and_then_given_up",
    "1008 with a token": "feed/test_verdicts.py::test_1008_after_a_token_was_sent_ends_at_once",
    "1009 three in a row, names the limit": "feed/test_verdicts.py::test_1009_is_tried_three_times_and_names_the_limit",
    "1002, 1003, 1007, 1010": "feed/test_verdicts.py::test_what_cannot_pass_ends_at_once",
    "3000-4999 three in a row": "feed/test_verdicts.py::test_codes_of_applications_are_tried_three_times",
    "HTTP 401, 403": "feed/test_verdicts.py::test_refused_tokens_end_at_once_on_every_system",
    "HTTP 404": "feed/test_verdicts.py::test_404_ends_at_once_and_names_the_path",
    "HTTP 404 on live: REST": (
        "feed/test_systems.py::test_a_live_stream_that_cannot_be_reached_is_replaced_by_statistics_until_it_can"
    ),
    "HTTP 408, 425, 429, 5xx": "feed/test_verdicts.py::test_refusals_that_pass_are_tried_again",
    "Retry-After": "feed/test_verdicts.py::test_retry_after_is_honoured_and_told",
    "HTTP 3xx on the same host": "feed/test_verdicts.py::test_a_redirect_on_the_same_host_is_followed",
    "credentials never cross": "feed/test_systems.py::test_a_token_reaches_its_own_server_and_no_other",
    "TLS failure": "feed/test_verdicts.py::test_an_untrusted_certificate_ends_at_once",
    "unknown host: three tries": "feed/test_verdicts.py::test_an_unknown_host_is_tried_three_times",
    "jitter 0.1 d to d": ("test_session.py::test_a_jittered_delay_lies_between_a_tenth_of_the_full_one_and_all_of_it"),
    "data or 30 s of health reset the series": "test_session.py::test_data_or_health_begins_the_series_anew",
    "hold-down": "test_session.py::test_a_server_that_accepts_and_closes_meets_growing_delays",
    "heartbeat at open and every 30 s, 5 s": (
        "session/test_heartbeat.py::test_the_documented_series_is_at_open_and_every_thirty_seconds_with_five_to_answer"
    ),
    "any inbound frame counts as life": "feed/test_systems.py::test_any_frame_counts_as_life",
    "latency from pong": "feed/test_systems.py::test_a_heartbeat_goes_at_open_and_its_answer_is_the_latency",
    "silence means death": "feed/test_systems.py::test_silence_after_a_heartbeat_ends_the_connection",
    "subscribe once a connection, again after a loss": (
        "feed/test_systems.py::test_live_metrics_come_unasked_and_other_topics_are_asked_for_once_a_connection"
    ),
    "unsubscribe has no effect: filtered here": (
        "feed/test_systems.py::test_a_topic_that_was_left_brings_nothing_though_the_server_goes_on"
    ),
    "exact repeats suppressed on live": (
        "feed/test_systems.py::test_exact_repeats_on_the_live_stream_are_suppressed_and_counted"
    ),
    "a channel dies silently": "feed/test_systems.py::test_a_channel_that_dies_silently_makes_a_new_connection",
    "outgoing queue of 100 for system 4, none for 1-3": (
        "feed/test_systems.py::test_messages_to_an_inference_server_wait_for_the_connection_in_order"
    ),
    "send offline is dropped": "feed/test_systems.py::test_other_systems_have_no_queue",
    "callbacks on the life of a connection": "feed/test_systems.py::test_hooks_tell_the_life_of_a_connection",
    "attempts exhausted": "feed/test_systems.py::test_hooks_tell_when_the_attempts_are_used_up",
    "one row of statistics at the start": "feed/test_systems.py::test_a_first_row_by_http_if_asked_for",
    "a token as header, query, cookie": "feed/test_systems.py::test_a_token_travels_as_it_is_told",
    "a token as first message": "feed/test_systems.py::test_the_first_word_on_the_channels_is_the_token",
    "sessions: new, update, terminate": "state/test_state_sessions.py::test_new_and_update_set_the_row_of_a_session",
    "sessions: marked 2 s": "state/test_state_sessions.py::test_a_changed_session_is_marked_for_exactly_two_seconds",
    "requests 50 and 100": (
        "state/test_state_inference.py::test_recent_requests_are_fifty_and_the_history_a_hundred_newest_first"
    ),
    "errors 20 and 50": (
        "state/test_state_inference.py::test_recent_errors_are_twenty_and_the_monitor_fifty_newest_first"
    ),
    "system health": "state/test_state_inference.py::test_each_limit_is_exact",
    "aggregates weighted by requests": (
        "state/test_state_inference.py::test_sums_go_over_all_models_and_means_are_weighted_by_requests"
    ),
    "the real peer": "peers/test_real_fakeai.py",
}

ALL = [(known, where) for table in (RULES, TOPIC_STREAMS, CLIENT) for known, where in table.items()]


@cache
def cases_of(path: Path) -> frozenset[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return frozenset(n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name.startswith("test_"))


@pytest.mark.parametrize("known, where", ALL, ids=[known for known, _ in ALL])
def test_everything_known_is_held_by_a_test(known, where):
    path, _, name = where.partition("::")
    assert (TESTS / path).is_file()
    assert not name or name in cases_of(TESTS / path), f"{name} is in no test of {path}"
