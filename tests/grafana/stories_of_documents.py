from __future__ import annotations

from tests.grafana.story import Story, always, counter, of

DOUBTS, DOUBTFUL = (
    "CallspoolDoubtsNotShrinking",
    of("callspool_documents", "default", state="in_doubt"),
)
OLDEST = of("callspool_oldest_in_doubt_seconds", "default")
HELD_BACK = of("callspool_document_events_total", "default", event="suppressed")
OUTSIDE = of("callspool_calls_outside_hours_total", "default", by="us")
BY_PLATFORM = of("callspool_calls_outside_hours_total", "default", by="platform")
CAME = of("callspool_document_events_total", "default", event="accepted")
RESENT = of("callspool_unproven_resends_total", "default")
TWICE = of("callspool_created_twice_total", "default")
MISSING = of("callspool_unaccounted_documents", "default")
ACCOUNT = of("callspool_parked", "default", level="account", reason="401")
MOVED = of("callspool_parked", "default", level="account", reason="301")
LANE = of("callspool_parked", "default", level="lane", reason="404")
UNREADABLE = of("callspool_unreadable_messages")
OPEN = of("callspool_oldest_open_call_seconds", "default")
FOLLOWED = of("callspool_follow_requests_total", "default", code="200")
SENDING = of("callspool_oldest_sending_seconds", "default")

STORIES = [
    Story("nobody decides", DOUBTS, True, {DOUBTFUL: always(7), OLDEST: "0+60x120"}, "60m"),
    Story("operators decide", DOUBTS, False, {DOUBTFUL: "900-5x120", OLDEST: "0+60x120"}, "60m"),
    Story(
        "new doubts come and are proven",
        DOUBTS,
        False,
        {DOUBTFUL: "100 300 50 200 100 300x100", OLDEST: always(320)},
        "60m",
    ),
    Story("nothing is in doubt", DOUBTS, False, {DOUBTFUL: always(0), OLDEST: always(0)}, "60m"),
    Story("no sweep frees it", "CallspoolSendingStuck", True, {SENDING: "0+60x60"}),
    Story("a slow request", "CallspoolSendingStuck", False, {SENDING: always(60)}),
    Story("no call ends", "CallspoolCallsOpenForADay", True,
          {OPEN: "80000+60x400", FOLLOWED: "0+1x400"}, "200m"),
    Story("calls end", "CallspoolCallsOpenForADay", False,
          {OPEN: always(7200), FOLLOWED: "0+1x400"}, "200m"),
    Story("nobody follows", "CallspoolCallsOpenForADay", False,
          {OPEN: "80000+60x400", FOLLOWED: always(3)}, "200m"),
    Story("ten times as many as before", "CallspoolSuppressionJumped", True,
          {HELD_BACK: "0+1x1400 1400+10x60", CAME: counter(100, minutes=1460)}, "1450m"),
    Story("as many as ever", "CallspoolSuppressionJumped", False,
          {HELD_BACK: counter(5, minutes=1460), CAME: counter(100, minutes=1460)}, "1450m"),
    Story("more of everything", "CallspoolSuppressionJumped", False,
          {HELD_BACK: "0+1x1400 1400+10x60", CAME: "0+100x1400 140000+1000x60"}, "1450m"),
    Story("hardly any", "CallspoolSuppressionJumped", False,
          {HELD_BACK: "0x1400 0+0.2x60", CAME: counter(100, minutes=1460)}, "1450m"),
    Story("one was", "CallspoolCallsOutsideHours", True, {OUTSIDE: "0x10 1x60"}),
    Story("the platform began them", "CallspoolCallsOutsideHours", False,
          {OUTSIDE: always(0), BY_PLATFORM: "0x10 9x60"}),
    Story("one was", "CallspoolUnprovenResends", True, {RESENT: "0x10 1x60"}),
    Story("that was before", "CallspoolUnprovenResends", False, {RESENT: always(4)}),
    Story("nobody looked at it for an hour", "CallspoolUnprovenResends", False,
          {RESENT: "0x10 1x200"}, "90m"),
    Story("one was", "CallspoolCreatedTwice", True, {TWICE: "0x10 1x60"}),
    Story("none was", "CallspoolCreatedTwice", False, {TWICE: always(0)}),
    Story("that was long ago", "CallspoolCreatedTwice", False, {TWICE: always(2)}),
    Story("some are missing", "CallspoolPossibleLoss", True, {MISSING: "0x10 3x60"}),
    Story("there are too many", "CallspoolPossibleLoss", True, {MISSING: "0x10 -3x60"}),
    Story("the sums add up", "CallspoolPossibleLoss", False, {MISSING: always(0)}),
    Story("the token is refused", "CallspoolAccountParked", True, {ACCOUNT: "0x5 1x60"},
          labels={"reason": "token refused"}),
    Story("the API has moved", "CallspoolAccountParked", True, {MOVED: "0x5 1x60"},
          labels={"reason": "wrong address"}),
    Story(
        "an API that is down answers in turns",
        "CallspoolAccountParked",
        True,
        {
            of("callspool_parked", "default", level="account", reason="502"): "1 stale " * 30,
            of("callspool_parked", "default", level="account", reason="none"): "stale 1 " * 30,
        },
        "20m",
        {"reason": "API down"},
    ),
    Story("a probe passed at once", "CallspoolAccountParked", False, {ACCOUNT: "0x29 1 0x60"}),
    Story("a lane is parked", "CallspoolAccountParked", False, {LANE: always(1)}),
    Story(
        "an operator paused the account",
        "CallspoolAccountParked",
        False,
        {of("callspool_paused", level="account"): always(1), ACCOUNT: always(0)},
    ),
    Story("its agent is not found", "CallspoolLanesParked", True, {LANE: always(1)}),
    Story(
        "a space is closed to us",
        "CallspoolLanesParked",
        True,
        {of("callspool_parked", "default", level="space", reason="403"): always(1)},
    ),
    Story("healed by itself", "CallspoolLanesParked", False, {LANE: "0x10 1x10 0x60"}),
    Story(
        "operators paused lanes",
        "CallspoolLanesParked",
        False,
        {of("callspool_lanes", "default", state="paused"): always(9), LANE: always(0)},
    ),
    Story("one came", "CallspoolUnreadableMessages", True, {UNREADABLE: "0x10 1x60"}),
    Story("none came", "CallspoolUnreadableMessages", False, {UNREADABLE: always(0)}),
]  # fmt: skip
