"""The classes of faults, and which tests show that openline withstands them, for `docs/robustness.md`.

A test is `file`, `file::function` or `file::Class`, from the root of the repository.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["CLASSES", "FaultClass"]


class FaultClass(NamedTuple):
    """A class of faults.

    Args:
        name: what can happen.
        shown: what the tests show.
        tests: the tests.
    """

    name: str
    shown: str
    tests: list[str]


PROTO = "crates/openline-proto/src"
ENGINE = "crates/openline/src"
SOCKETS = "crates/openline/tests/integration"
MODEL = f"{ENGINE}/model/scenarios.rs"
HERE = "tests/robustness"

CLASSES = [
    FaultClass(
        "A time-out in the middle of a frame",
        "At every point within a frame, a fragmented message and a TLS record, `recv(timeout)` loses nothing.",
        [
            f"{SOCKETS}/receiving.rs::a_timeout_at_every_split_point_of_a_frame_loses_nothing",
            f"{HERE}/test_split_points.py",
            f"{PROTO}/inbound/tests.rs::whole_input_every_split_point_and_every_byte_alone_mean_the_same",
        ],
    ),
    FaultClass(
        "Short writes",
        "With the smallest buffer, or a byte at a time, what goes out is the same; time-outs leave it whole.",
        [f"{SOCKETS}/short_writes.rs"],
    ),
    FaultClass(
        "Interleaved frames",
        "Eight threads that send messages, fragments, pings and pongs: the wire is parsed again.",
        [
            f"{SOCKETS}/short_writes.rs::eight_senders_a_byte_at_a_time",
            f"{SOCKETS}/sending.rs::eight_senders_pings_and_fragments_never_interleave",
            "tests/test_sharing.py::test_a_hundred_senders_of_one_connection",
            f"{MODEL}::no_control_frame_is_left_behind_by_two_senders",
        ],
    ),
    FaultClass(
        "All pairs of calls in two threads",
        "Each pair of public calls ends within its bound, in a defined state, with peers that answer, that do "
        "nothing, and that only send.",
        [
            f"{HERE}/test_pairs.py",
            f"{SOCKETS}/pairs.rs",
            f"{HERE}/test_bounds.py",
            f"{MODEL}::a_close_ends_every_call",
        ],
    ),
    FaultClass(
        "Closing races",
        "Every order of our Close, the peer's, messages, pings, violations, the end of the stream and `abort`, "
        "up to five of them, ends as a model says.",
        [
            f"{ENGINE}/closings.rs::every_order_of_events_ends_as_the_model_says",
            f"{PROTO}/close.rs::every_order_of_the_closing_handshake",
            f"{SOCKETS}/closing.rs::both_close_at_once",
            "tests/test_hostile.py::test_data_after_the_close",
        ],
    ),
    FaultClass(
        "Messages that wait at the close",
        "The peer sends and closes at once: all is received, and then `ConnectionClosedOK`.",
        [
            f"{SOCKETS}/receiving.rs::messages_before_a_close_are_all_received",
            "tests/peers/test_closing.py::test_messages_before_the_close_are_delivered",
            "tests/test_closing.py::TestClose",
        ],
    ),
    FaultClass(
        "Pongs that are not sent, false and missed ping time-outs",
        "Pings are answered in every state; life is any byte, also after the process stood still.",
        [
            f"{PROTO}/keepalive.rs",
            f"{SOCKETS}/driver.rs",
            f"{HERE}/test_clocks.py::TestKeepalive",
            f"{HERE}/test_half_open.py::test_who_reads_slowly_is_alive",
        ],
    ),
    FaultClass(
        "Reconnecting for ever",
        "10,000 times: memory, threads and descriptors stay as they are.",
        [f"{HERE}/test_reconnects.py", "tests/test_reconnect.py::test_many_in_a_row_leave_nothing"],
    ),
    FaultClass(
        "Compression",
        "Bombs are refused within the loop that inflates; illegal parameters, takeover, reserved bits and "
        "empty messages by table.",
        [
            f"{PROTO}/extension/deflate/tests.rs",
            f"{PROTO}/extension/tests.rs::section_6_1_rsv1_on_a_continuation_is_refused",
            "tests/test_compression.py",
        ],
    ),
    FaultClass(
        "Fragments of a byte, without end",
        "With pings between: memory is bounded, and so is their number.",
        [
            f"{HERE}/test_memory.py::test_fragments_of_a_byte_with_pings_between",
            "tests/test_compression.py::TestFaults",
            f"{PROTO}/inbound/tests.rs::limits_hold_at_the_header",
        ],
    ),
    FaultClass(
        "UTF-8 that is cut",
        "By fragments, reads and compression, at every byte; what is invalid fails as soon as it is seen.",
        [
            f"{PROTO}/utf8.rs::every_split_in_three_has_the_verdict_of_the_whole",
            f"{PROTO}/utf8.rs::fails_at_the_first_byte_that_cannot_be_continued",
            f"{PROTO}/extension/tests.rs::invalid_text_fails_before_its_message_ends",
            f"{SOCKETS}/receiving.rs::fragments_come_as_they_arrive_and_characters_whole",
        ],
    ),
    FaultClass(
        "Close frames that are wrong, or cut",
        "A body of a byte, every code, a reason that is not UTF-8, at every split point.",
        [
            f"{PROTO}/close.rs::section_7_4_codes_allowed_on_the_wire",
            f"{PROTO}/close.rs::section_5_5_1_payloads",
            f"{PROTO}/inbound/tests.rs::violations_are_refused_as_soon_as_they_are_seen",
            "tests/test_hostile.py::test_a_hostile_frame",
        ],
    ),
    FaultClass(
        "Handshakes that are slow or huge",
        "One deadline over all of it; limits of line, headers and body, in both roles.",
        [
            f"{SOCKETS}/dialling.rs::open_timeout_is_one_deadline_over_a_dribbled_handshake",
            f"{PROTO}/http/head.rs::limits_hold_to_the_byte",
            f"{PROTO}/http/head.rs::endless_lines_are_refused_before_they_end",
            f"{PROTO}/handshake/server/tests.rs::limits_have_their_own_errors",
            "tests/test_hostile.py::test_a_body_that_is_too_large",
        ],
    ),
    FaultClass(
        "Servers that are lenient",
        "Responses as real servers give them, with odd words, cases and blanks, and frames glued to them.",
        [
            f"{PROTO}/handshake/client/tests.rs::real_and_odd_servers_are_understood",
            f"{PROTO}/http/head.rs::odd_status_lines_are_accepted",
            f"{SOCKETS}/receiving.rs::frames_glued_to_the_response_are_received",
            "tests/test_hostile.py::test_a_response_that_is_accepted",
        ],
    ),
    FaultClass(
        "Redirects",
        "Circles, from `wss` to `ws`, to another origin, through a proxy.",
        ["tests/test_redirects.py", f"{PROTO}/redirect.rs::a_secure_connection_stays_secure"],
    ),
    FaultClass(
        "Proxies",
        "Credentials on the right hop only; refusals, bodies, early ends, silence, IPv6, names and addresses.",
        ["tests/test_scripted_proxies.py", "tests/peers/test_proxies.py", f"{PROTO}/proxy/tests.rs"],
    ),
    FaultClass(
        "TLS",
        "No close_notify, truncation, broken records, keys that change, both directions at once; names, dates, "
        "authorities, certificates of clients.",
        [
            "tests/test_tls.py",
            "tests/test_certificates.py",
            f"{HERE}/test_split_points.py::test_every_point_within_a_tls_record",
            f"{SOCKETS}/tls.rs::keys_are_changed_in_the_middle",
            f"{HERE}/test_key_update.py",
            f"{SOCKETS}/tls.rs::sending_and_receiving_at_once",
            f"{SOCKETS}/tls.rs::truncation_is_an_error",
            "tests/test_many.py::test_both_directions_at_once",
        ],
    ),
    FaultClass(
        "Signals (EINTR)",
        "A thousand a second: deadlines are kept, and nothing is lost.",
        [f"{HERE}/test_eintr.py", "tests/test_signals.py", "tests/test_ssl_context.py::TestSignals"],
    ),
    FaultClass(
        "The end of the program",
        "Every call in a daemon thread, 50 open connections: the program ends, and says nothing. A thread that "
        "is no daemon goes on.",
        [f"{HERE}/test_exit.py", "tests/test_futures.py::TestExit", "tests/test_ssl_context.py::test_exit"],
    ),
    FaultClass(
        "Descriptors",
        "Numbers over 1023; thousands of connections that fail leave none; without any left it is an "
        "`OSError`, and works again later.",
        [f"{HERE}/test_descriptors.py", "tests/test_many.py::TestFailures"],
    ),
    FaultClass(
        "Half-open connections",
        "In every call, and in none: found within `ping_interval + ping_timeout`. Without pings, by what TCP "
        "does not get acknowledged; a peer that does not read is not taken for one that is gone.",
        [
            "tests/test_vanished_peer.py",
            f"{HERE}/test_half_open.py::test_while",
            f"{SOCKETS}/sending.rs::a_blocked_send_ends_with_the_ping_timeout",
            f"{SOCKETS}/driver.rs::a_silent_peer_is_given_up_with_1011",
        ],
    ),
    FaultClass(
        "Clocks",
        "Only the monotonic one; a deadline that passes while the process stands still ends its call at once.",
        [f"{HERE}/test_clocks.py"],
    ),
    FaultClass(
        "Memory",
        "10 million messages: it stays flat, and each message is exactly a `str` or `bytes`.",
        [f"{HERE}/test_memory.py", "tests/test_idle.py", f"{SOCKETS}/driver.rs"],
    ),
    FaultClass(
        "Panics",
        "None can be reached from the network: the same properties under proptest and a fuzzer. One in a "
        "transport, in a call or in the driver, ends its connection and no other.",
        [
            "crates/openline-proto/tests/properties/main.rs",
            "fuzz/fuzz_targets/properties.rs",
            f"{SOCKETS}/panicking.rs",
        ],
    ),
]
"""Each class of faults once."""
