"""The session against the tables of PROTOCOL.md, "Both machines"."""

from __future__ import annotations

import random

import pytest
from google.protobuf.message import Message

from casemate import casemate_pb2 as pb
from casemate.errors import ProtocolViolation, Refused
from casemate.frames import PAYLOAD_BYTES_MAX, WINDOW_BYTES, Decoder, End, Frame, encode
from casemate.session import (
    Body,
    Credited,
    DaemonLeaves,
    Ended,
    HostCallCancelled,
    HostCalled,
    Session,
    SessionEvent,
    State,
    Told,
    Welcomed,
)

from . import golden

VECTORS = golden.read()
WELCOME = VECTORS["welcome"].bytes


def daemon(identity: int, message: Message, payload: bytes = b"") -> bytes:
    return encode(End.DAEMON, Frame(identity, message, payload))


def told(session: Session, *frames: bytes) -> list[SessionEvent]:
    return list(session.receive(b"".join(frames)))


def sent(session: Session) -> list[Frame]:
    return list(Decoder(End.CLIENT).push(session.output()))


def greeted() -> Session:
    session = Session("test")
    assert isinstance(told(session, WELCOME)[0], Welcomed)
    session.output()
    return session


def call(more: bool = False) -> pb.Call:
    return pb.Call(plugin="p", method="m", more=more)


def violation(session: Session, *frames: bytes) -> str:
    with pytest.raises(ProtocolViolation) as caught:
        told(session, *frames)
    assert session.state is State.CLOSED
    return caught.value.code


def test_it_greets_first() -> None:
    assert Session("golden").output() == VECTORS["hello"].bytes


def test_a_refusal_names_both_sides_versions() -> None:
    session = Session("test")
    with pytest.raises(Refused, match="versions 2 to 3"):
        told(session, VECTORS["refused_version"].bytes)
    assert session.state is State.CLOSED


def test_nothing_is_opened_before_the_greeting() -> None:
    with pytest.raises(RuntimeError, match="not open"):
        Session("test").open(call())


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([daemon(0, pb.Bye())], "protocol.greeting"),
        ([daemon(2, pb.HostCall())], "protocol.greeting"),
        ([daemon(0, pb.Welcome(version=2, payload_bytes_max=1, window_bytes=1))], "protocol.version"),
        ([daemon(0, pb.Welcome(version=1))], "protocol.field"),
        ([WELCOME, WELCOME], "protocol.greeting_again"),
        ([WELCOME, daemon(0, pb.Bye()), daemon(0, pb.Bye())], "protocol.closed"),
        ([WELCOME, daemon(0, pb.Bye()), daemon(2, pb.HostCall())], "protocol.closed"),
        ([WELCOME, daemon(0, pb.HostCall())], "protocol.stream_id"),
    ],
)
def test_the_table_of_the_connection(frames: list[bytes], code: str) -> None:
    assert violation(Session("test"), *frames) == code


DATA, END, CREDIT, CANCEL = pb.Data(), pb.Data(end=True), pb.Credit(bytes=1), pb.Cancel()
HOST_CALL, ANSWER, ITEM = pb.HostCall(), pb.Answer(), pb.Item()


def stream_in(state: str) -> tuple[Session, int]:
    """A session with a stream in this state, and its id."""
    session = greeted()
    match state:
        case "New":
            return session, 2
        case "Sending":
            told(session, daemon(2, pb.HostCall(more=True)))
            return session, 2
        case "Sent":
            told(session, daemon(2, pb.HostCall()))
            return session, 2
        case "PeerOver":
            told(session, daemon(2, pb.HostCall()))
            session.end_host_call(2, pb.HostResult())
            return session, 2
        case "Awaited":
            return session, session.open(call())
        case "OwnOver":
            session.cancel(session.open(call()))
            return session, 1
        case _:
            return session, 1


@pytest.mark.parametrize(
    ("state", "message", "outcome"),
    [
        ("New", HOST_CALL, HostCalled),
        ("New", DATA, "protocol.stream_unknown"),
        ("New", CREDIT, "protocol.stream_unknown"),
        ("New", CANCEL, "protocol.stream_unknown"),
        ("New", ITEM, "protocol.stream_unknown"),
        ("New", ANSWER, "protocol.stream_unknown"),
        ("Sending", HOST_CALL, "protocol.stream_id"),
        ("Sending", DATA, Body),
        ("Sending", END, Body),
        ("Sending", CREDIT, Credited),
        ("Sending", CANCEL, HostCallCancelled),
        ("Sending", ITEM, "protocol.stream_direction"),
        ("Sending", ANSWER, "protocol.stream_direction"),
        ("Sent", HOST_CALL, "protocol.stream_id"),
        ("Sent", DATA, "protocol.stream_ended"),
        ("Sent", CREDIT, Credited),
        ("Sent", CANCEL, HostCallCancelled),
        ("Sent", ITEM, "protocol.stream_direction"),
        ("Sent", ANSWER, "protocol.stream_direction"),
        ("PeerOver", HOST_CALL, "protocol.stream_id"),
        ("PeerOver", DATA, None),
        ("PeerOver", CREDIT, None),
        ("PeerOver", CANCEL, None),
        ("PeerOver", ITEM, "protocol.stream_direction"),
        ("PeerOver", ANSWER, "protocol.stream_direction"),
        ("Awaited", HOST_CALL, "protocol.stream_parity"),
        ("Awaited", DATA, Body),
        ("Awaited", CREDIT, Credited),
        ("Awaited", CANCEL, "protocol.stream_direction"),
        ("Awaited", ITEM, "protocol.stream_kind"),
        ("Awaited", ANSWER, Ended),
        ("OwnOver", HOST_CALL, "protocol.stream_parity"),
        ("OwnOver", DATA, None),
        ("OwnOver", CREDIT, None),
        ("OwnOver", CANCEL, "protocol.stream_direction"),
        ("OwnOver", ITEM, None),
        ("OwnOver", ANSWER, None),
        ("Unused", HOST_CALL, "protocol.stream_parity"),
        ("Unused", DATA, "protocol.stream_unknown"),
        ("Unused", CREDIT, "protocol.stream_unknown"),
        ("Unused", CANCEL, "protocol.stream_unknown"),
        ("Unused", ITEM, "protocol.stream_unknown"),
        ("Unused", ANSWER, "protocol.stream_unknown"),
    ],
)
def test_the_table_of_a_stream(state: str, message: Message, outcome: type[SessionEvent] | str | None) -> None:
    session, identity = stream_in(state)
    frame = daemon(identity, message, b"x" if isinstance(message, pb.Data) else b"")
    if isinstance(outcome, str):
        assert violation(session, frame) == outcome
    else:
        assert [type(event) for event in told(session, frame)] == ([outcome] if outcome else [])


@pytest.mark.parametrize(
    ("opening", "ending", "fits"),
    [
        (call(), pb.Answer(), True),
        (call(), pb.Failure(), True),
        (call(), pb.Response(), False),
        (pb.Request(list=pb.List()), pb.Response(), True),
        (pb.Request(list=pb.List()), pb.Failure(), True),
        (pb.Request(list=pb.List()), pb.Answer(), False),
        (pb.Follow(logs=pb.Logs()), pb.Response(), True),
        (pb.Follow(logs=pb.Logs()), pb.Failure(), True),
        (pb.Follow(logs=pb.Logs()), pb.Answer(), False),
    ],
)
def test_an_end_belongs_to_what_its_stream_was_opened_for(
    opening: pb.Call | pb.Request | pb.Follow, ending: Message, fits: bool
) -> None:
    session = greeted()
    session.open(opening)
    if fits:
        assert [type(event) for event in told(session, daemon(1, ending))] == [Ended]
        assert not session.is_open(1)
    else:
        assert violation(session, daemon(1, ending)) == "protocol.stream_kind"


def test_ids_are_odd_and_grow() -> None:
    session = greeted()
    assert [session.open(call()) for _ in range(3)] == [1, 3, 5]
    assert [frame.id for frame in sent(session)] == [1, 3, 5]


def test_a_following_is_told_until_it_is_cancelled() -> None:
    session = greeted()
    identity = session.open(pb.Follow(subscribe=pb.Subscribe(pattern="**")))
    events = told(session, VECTORS["item_in_force"].bytes, VECTORS["item_event"].bytes)
    assert [type(event) for event in events] == [Told, Told]
    session.output()
    session.cancel(identity)
    session.cancel(identity)
    assert sent(session) == [Frame(identity, pb.Cancel())]
    assert told(session, VECTORS["item_event"].bytes) == []


def test_a_body_of_ours_stops_at_its_window() -> None:
    session = greeted()
    identity = session.open(call(more=True))
    for _ in range(WINDOW_BYTES // PAYLOAD_BYTES_MAX):
        assert session.sendable(identity) == PAYLOAD_BYTES_MAX
        session.data(identity, b"x" * PAYLOAD_BYTES_MAX)
    assert session.sendable(identity) == 0
    with pytest.raises(RuntimeError, match="credit for 0 bytes"):
        session.data(identity, b"x")
    assert told(session, daemon(identity, pb.Credit(bytes=7))) == [Credited(identity)]
    assert session.sendable(identity) == 7
    session.data(identity, b"x" * 7, end=True)
    assert session.sendable(identity) == 0
    with pytest.raises(RuntimeError, match="has ended"):
        session.data(identity, b"")


def test_a_body_of_the_daemon_is_held_to_its_window() -> None:
    session = greeted()
    identity = session.open(call())
    full = daemon(identity, pb.Data(), b"x" * PAYLOAD_BYTES_MAX)
    told(session, *[full] * (WINDOW_BYTES // PAYLOAD_BYTES_MAX))
    session.output()
    session.credit(identity, 5)
    assert sent(session) == [Frame(identity, pb.Credit(bytes=5))]
    assert told(session, daemon(identity, pb.Data(), b"12345")) == [Body(identity, b"12345", False)]
    assert violation(session, daemon(identity, pb.Data(), b"6")) == "protocol.credit"


def test_the_first_and_the_last_frame_cost_no_credit() -> None:
    session = greeted()
    body = b"x" * PAYLOAD_BYTES_MAX
    identity = session.open(call(more=True), body)
    full = daemon(identity, pb.Data(), body)
    told(session, *[full] * (WINDOW_BYTES // PAYLOAD_BYTES_MAX))
    for _ in range(WINDOW_BYTES // PAYLOAD_BYTES_MAX):
        session.data(identity, body)
    assert [type(event) for event in told(session, daemon(identity, pb.Answer(), body))] == [Ended]


def test_data_without_a_byte_is_refused() -> None:
    session, identity = stream_in("Awaited")
    assert violation(session, daemon(identity, pb.Data())) == "protocol.field"


def test_an_answer_has_no_end_of_its_own() -> None:
    session, identity = stream_in("Awaited")
    assert violation(session, daemon(identity, pb.Data(end=True), b"x")) == "protocol.field"


def test_a_host_call_is_answered_once() -> None:
    session = greeted()
    events = told(session, VECTORS["host_call"].bytes, VECTORS["daemon_data_end"].bytes)
    assert [type(event) for event in events] == [HostCalled, Body]
    session.data(2, b"more")
    session.end_host_call(2, pb.HostResult(content_type=pb.CONTENT_TYPE_JSON), b"end")
    session.end_host_call(2, pb.HostResult(), b"again")
    frames = sent(session)
    assert [(type(frame.message).__name__, frame.payload) for frame in frames] == [
        ("Data", b"more"),
        ("HostResult", b"end"),
    ]


def test_a_cancelled_host_call_is_not_answered() -> None:
    session = greeted()
    events = told(session, daemon(2, pb.HostCall()), daemon(2, pb.Cancel()))
    assert events[1:] == [HostCallCancelled(2)]
    session.end_host_call(2, pb.HostResult())
    session.credit(2, 100)
    assert session.output() == b""


def test_after_the_daemons_bye_what_is_open_goes_on() -> None:
    session = greeted()
    first = session.open(call())
    assert told(session, VECTORS["daemon_bye"].bytes) == [DaemonLeaves("")]
    # Whatever is opened now, the daemon refuses by itself.
    second = session.open(call())
    ended = told(session, daemon(second, pb.Failure(code="closed")), daemon(first, pb.Answer()))
    assert [type(event) for event in ended] == [Ended, Ended]


def test_after_our_bye_nothing_is_opened() -> None:
    session = greeted()
    session.bye("done")
    session.bye("done")
    assert session.output() == VECTORS["client_bye"].bytes
    with pytest.raises(RuntimeError, match="not open"):
        session.open(call())


def test_unknown_fields_are_ignored() -> None:
    session = greeted()
    session.open(call())
    # Field 2,000 of an Answer, the number 1.
    frame = bytes.fromhex("07000000 a3 00 0000 0100000000000000 03000000 80 7d 01")
    events = told(session, frame)
    assert isinstance(events[0], Ended)


def test_a_message_beyond_its_limit_is_named() -> None:
    session = greeted()
    with pytest.raises(ValueError, match="the Request message would have"):
        session.open(pb.Request(load=pb.Load(plugin="p", manifest="x" * 32_768)))
    assert session.output() == b""
    assert session.open(call()) == 1


@pytest.mark.parametrize("seed", range(200))
def test_whatever_a_daemon_sends_ends_in_an_event_or_in_a_refusal(seed: int) -> None:
    dice = random.Random(seed)
    frames = [vector.bytes for vector in VECTORS.values() if vector.sender is End.DAEMON]
    session = greeted()
    for opening in (call(more=True), pb.Request(list=pb.List()), pb.Follow(logs=pb.Logs())):
        session.open(opening)
    stream = bytearray(b"".join(dice.choice(frames) for _ in range(30)))
    for _ in range(dice.choice((0, 1, 5))):
        stream[dice.randrange(len(stream))] = dice.randrange(256)
    try:
        while stream:
            length = dice.randrange(1, 100)
            told(session, bytes(stream[:length]))
            del stream[:length]
    except (ProtocolViolation, Refused):
        assert session.state is State.CLOSED
