"""Prints the events of all log groups with a prefix, from five minutes ago on, until interrupted: follow_logs.py PREFIX."""

import sys
import time

import boto3

logs = boto3.client("logs")


def events_since(group: str, since_ms: int) -> list[dict]:
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group, startTime=since_ms)
    return [event for page in pages for event in page["events"]]


def key_of(group: str, event: dict) -> str:
    """Identifies an event. MiniStack does not give every event an id."""
    return event.get("eventId") or f"{group} {event['logStreamName']} {event['timestamp']} {event['message']}"


def main(prefix: str) -> None:
    since_ms = int((time.time() - 300) * 1000)
    seen: set[str] = set()
    while True:
        groups = [group["logGroupName"] for group in logs.describe_log_groups(logGroupNamePrefix=prefix)["logGroups"]]
        events = [(event["timestamp"], key_of(group, event), group, event["message"]) for group in groups
                  for event in events_since(group, since_ms)]
        # By time. Events of the same moment keep their order.
        for _, key, group, message in sorted(events, key=lambda event: event[0]):
            if key in seen:
                continue
            seen.add(key)
            print(f"{group.removeprefix('/aws/lambda/boxoffice-local-')}: {message.rstrip()}", flush=True)
        time.sleep(1)


try:
    main(sys.argv[1])
except KeyboardInterrupt:
    pass
