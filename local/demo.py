"""The main story on a running API, each request and answer printed: demo.py URL. Exits 1 at the first that is not as told."""

import datetime
import json
import sys
import time
import urllib.error
import urllib.request

BOLD, DIM, PLAIN = ("\033[1m", "\033[2m", "\033[0m") if sys.stdout.isatty() else ("", "", "")
URL = sys.argv[1].rstrip("/")


def call(method: str, path: str, body: dict | None = None, quiet: bool = False) -> tuple[int, dict]:
    """One request; its status and JSON body."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(URL + path, data, {"Content-Type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            status, answer = response.status, json.load(response)
    except urllib.error.HTTPError as refusal:
        status, answer = refusal.code, json.load(refusal)
    if not quiet:
        print(f"  {method} {path}" + (f"  {json.dumps(body)}" if body else ""))
        print(f"  {DIM}{status} {json.dumps(answer)}{PLAIN}")
    return status, answer


def tell(text: str) -> None:
    print(f"\n{BOLD}{text}{PLAIN}")


def expect(what: str, actual: object, expected: object) -> None:
    if actual != expected:
        print(f"\nNot as told: {what} is {actual!r}, not {expected!r}", file=sys.stderr)
        raise SystemExit(1)


def expect_seats(show_id: int, available: int) -> None:
    status, show = call("GET", f"/shows/{show_id}")
    expect("the status", status, 200)
    expect("available_seats", show["available_seats"], available)
    expect("reserved_seats", show["reserved_seats"], show["total_seats"] - available)


def seconds_until(time_text: str) -> float:
    due = datetime.datetime.fromisoformat(time_text.replace("Z", "+00:00"))
    return (due - datetime.datetime.now(datetime.timezone.utc)).total_seconds()


def create_show() -> int:
    start = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=30)
    status, show = call("POST", "/admin/shows", {
        "name": "The Demo", "start_time": start.strftime("%Y-%m-%dT20:00:00Z"), "total_seats": 10})
    expect("the status", status, 201)
    return show["show_id"]


def find_in_list(show_id: int) -> None:
    """The show is on a page of the list: the pages are walked as a client would."""
    path = "/shows?limit=100"
    while True:
        status, page = call("GET", path, quiet=True)
        expect("the status", status, 200)
        for show in page["shows"]:
            if show["show_id"] == show_id:
                print(f"  GET {path}\n  {DIM}200 {{\"shows\": [..., {json.dumps(show)}, ...]}}{PLAIN}")
                return
        if page["next_cursor"] is None:
            expect("the list of shows", "without the new show", "with the new show")
        path = f"/shows?limit=100&cursor={page['next_cursor']}"


def book(show_id: int, user_name: str, seats: int) -> dict:
    status, booking = call("POST", f"/shows/{show_id}/bookings", {"user_name": user_name, "seats": seats})
    expect("the status", status, 201)
    expect("the booking's status", booking["status"], "PENDING")
    return booking


def wait_for_expiry(booking: dict) -> dict:
    """The booking once it is no longer pending. A minute more than the hold: then even a lost message is swept."""
    hold_seconds = seconds_until(booking["expires_at"])
    print(f"  waiting for {booking['expires_at']}, {hold_seconds:.0f} s from now", flush=True)
    deadline = time.monotonic() + hold_seconds + 75
    time.sleep(max(0.0, hold_seconds))
    while time.monotonic() < deadline:
        status, now = call("GET", f"/bookings/{booking['booking_id']}", quiet=True)
        expect("the status", status, 200)
        if now["status"] != "PENDING":
            call("GET", f"/bookings/{booking['booking_id']}")
            return now
        time.sleep(0.5)
    expect("the booking", "still PENDING", "FAILED")
    return booking


def main() -> None:
    tell("1. An operator puts a show with 10 seats on sale")
    show_id = create_show()
    tell("2. It is in the list")
    find_in_list(show_id)
    tell("3. Ada takes 2 seats, Grace takes 3; both are held, not yet sold")
    ada, grace = book(show_id, "Ada", 2), book(show_id, "Grace", 3)
    expect_seats(show_id, 5)
    tell("4. Ada pays")
    status, confirmed = call("POST", f"/bookings/{ada['booking_id']}/confirm")
    expect("the status", status, 200)
    expect("Ada's booking", confirmed["status"], "CONFIRMED")
    tell("5. More than is left is refused, and says how many are left")
    status, problem = call("POST", f"/shows/{show_id}/bookings", {"user_name": "Edsger", "seats": 6})
    expect("the status", status, 409)
    expect("available_seats", problem["available_seats"], 5)
    tell("6. Grace does not pay: her hold ends, and the queue's delayed message gives her seats back")
    failed = wait_for_expiry(grace)
    expect("Grace's booking", (failed["status"], failed["failure_reason"]), ("FAILED", "expired"))
    expect_seats(show_id, 8)
    tell("7. Her payment comes too late")
    status, _ = call("POST", f"/bookings/{grace['booking_id']}/confirm")
    expect("the status", status, 409)
    tell("8. Ada's booking stands, and 8 seats are free")
    status, kept = call("GET", f"/bookings/{ada['booking_id']}")
    expect("Ada's booking", kept["status"], "CONFIRMED")
    expect_seats(show_id, 8)
    print("\nAll as told.")


main()
