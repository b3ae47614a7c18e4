"""A place for a command: queued for, acquired, watched while it is used, and released."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from npubench.boards import Board
from npubench.core.errors import ConfigError, DeviceError, NpubenchError
from npubench.core.progress import Event, Reporter, step
from npubench.core.tool import run_tool
from npubench.desk.client import Address, Desk
from npubench.lab.coordinator import Coordinator, Resource, Ticket, require_host_port
from npubench.lab.description import PROBE_TAG, Description, choose
from npubench.transport.interrupt import allow_port, end_port

ANY = "any"
LOOK_EVERY_S = 1.0
SERIAL = "NetworkSerialPort"
SERVICE = "NetworkService"
SERVICE_NAME = "npubench"
PROTOCOLS = {"raw": "socket", "rfc2217": "rfc2217"}
POWER = (
    "NetworkPowerPort", "PDUDaemonPort", "NetworkUSBPowerPort", "NetworkSiSPMPowerPort",
    "TasmotaPowerPort", "NetworkYKUSHPowerPort",
)  # fmt: skip
OUTPUT = ("NetworkSysfsGPIO", "NetworkDeditecRelais8", "NetworkHIDRelay", "NetworkLXAIOBusPIO")
RESET_NAME = "reset"
CLIENT_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """An acquired place: its desk, and what is switched there through labgrid's own client."""

    place: str
    desk: Desk
    has_power: bool
    has_reset: bool


@contextmanager
def held_place(
    board: Board,
    name: str,
    *,
    lab: Description,
    reporter: Reporter,
    probe: str | None = None,
) -> Iterator[Held]:
    """The place called ``name`` (or of that role in the environment), or any free one that has the
    board, while entered. ``probe``: the one whose board has this debug probe.

    Waits in the coordinator's queue, telling the position. While the place is held it is watched:
    when it is taken away, or its exporter dies, the board's port is ended with that reason. It is
    released whatever happens. Raises UsageError, ConfigError, DeviceError.
    """
    watch = _Watch()
    with Coordinator(require_host_port(lab.coordinator), changed=watch.look) as session:
        places = lab.described(session.places())
        wanted = choose(places, board.id, lab.place_name(name), probe, any_name=ANY)
        ticket = session.reserve(wanted)
        acquired = ""
        try:
            ticket = _queue(session, lab, ticket, wanted, board, reporter)
            session.acquire(ticket.place)
            acquired = ticket.place
            desk, resources = _desk(session, lab, ticket.place)
            watch.begin(session, acquired, desk)
            try:
                reporter.event(
                    Event(
                        job=board.id,
                        step="place",
                        state="note",
                        detail=f"{acquired} is ours, at {desk.host}",
                    )
                )
                with desk:
                    held = Held(
                        place=acquired,
                        desk=desk,
                        has_power=any(found.kind in POWER for found in resources),
                        has_reset=any(
                            found.kind in OUTPUT and found.name == RESET_NAME for found in resources
                        ),
                    )
                    _switch_on(held, session.address, reporter, board)
                    yield held
            finally:
                watch.end()
        finally:
            _give_back(session, ticket, acquired, reporter, board)


def _queue(
    session: Coordinator,
    lab: Description,
    ticket: Ticket,
    wanted: Mapping[str, str],
    board: Board,
    reporter: Reporter,
) -> Ticket:
    """Wait until a place is ours; every change of the position is told."""
    said = ""
    waiting = threading.Event()
    while ticket.state != "allocated":
        if ticket.state != "waiting":
            raise DeviceError(
                f"the reservation for {board.id} is {ticket.state}",
                hint="was the place deleted, or the reservation cancelled?",
            )
        holders = ", ".join(
            f"{place.name} held by {place.holder or 'a reservation'}"
            for place in lab.described(session.places())
            if place.name == wanted.get("name", place.name) and place.board == board.id
        )
        text = f"position {ticket.ahead + 1} in the queue ({holders})"
        if text != said:
            reporter.event(Event(job=board.id, step="place", state="note", detail=text))
            said = text
        waiting.wait(LOOK_EVERY_S)
        ticket = session.look(ticket, wanted)
    return ticket


def _desk(session: Coordinator, lab: Description, name: str) -> tuple[Desk, tuple[Resource, ...]]:
    """What stands at an acquired place. Raises ConfigError when the console is missing."""
    there = session.place(name)
    assert there is not None
    (state,) = lab.described([there])
    found = [session.resource(path) for path in state.resources]
    resources = tuple(item for item in found if item is not None)
    ports = [item for item in resources if item.kind == SERIAL]
    if len(ports) != 1:
        raise ConfigError(
            f"the place {name} has {len(ports)} serial ports instead of one: "
            f"{', '.join(f'{item.exporter}/{item.group}/{item.name}' for item in ports) or 'none'}",
            hint=f"labgrid-client -p {name} add-match EXPORTER/GROUP/{SERIAL}",
        )
    values = ports[0].values
    protocol = PROTOCOLS.get(str(values.get("protocol", "rfc2217")))
    if protocol is None or not values.get("port"):
        raise ConfigError(
            f"the serial port of {name} cannot be used: {dict(values)}",
            hint="its protocol is raw or rfc2217, and the exporter's ser2net must have started",
        )
    service = next(
        (item for item in resources if item.kind == SERVICE and item.name == SERVICE_NAME), None
    )
    if service is None:
        address = Address(host=str(values["host"]))
    else:
        address = Address(
            host=str(service.values["address"]),
            user=str(service.values.get("username") or ""),
            port=int(service.values.get("port") or 22),
        )
    desk = Desk(
        place=name,
        console=f"{protocol}://{values['host']}:{values['port']}",
        address=address,
        probe=state.tags.get(PROBE_TAG),
    )
    return desk, resources


def _switch_on(held: Held, coordinator: str, reporter: Reporter, board: Board) -> None:
    """A known state: power cycled, or reset, where the place can do that."""
    if held.has_power:
        with step(reporter, board.id, "power", f"cycle at {held.place}"):
            _client(coordinator, held.place, "power", "cycle")
    if held.has_reset:
        with step(reporter, board.id, "reset", f"at {held.place}"):
            _client(coordinator, held.place, "io", "low", RESET_NAME)
            _client(coordinator, held.place, "io", "high", RESET_NAME)


def _client(coordinator: str, place: str, *words: str) -> None:
    """labgrid's own client, which knows every switch there is. Raises ToolError."""
    run_tool(
        [sys.executable, "-m", "labgrid.remote.client", "-x", coordinator, "-p", place, *words],
        keep=("LG_HOSTNAME", "LG_USERNAME", "LG_PROXY"),
        timeout_s=CLIENT_TIMEOUT_S,
    )


def _give_back(
    session: Coordinator, ticket: Ticket, acquired: str, reporter: Reporter, board: Board
) -> None:
    """Release and leave the queue; what cannot be given back is told."""
    steps: list[tuple[str, Callable[[], None]]] = []
    if acquired:
        steps.append((f"release {acquired}", lambda: session.release(acquired)))
    steps.append(("leave the queue", lambda: session.cancel(ticket)))
    for what, act in steps:
        try:
            act()
        except NpubenchError as error:
            text = f"cannot {what}: {error.message}"
            if acquired:
                text += f"; see labgrid-client -p {acquired} release"
            reporter.event(Event(job=board.id, step="place", state="note", detail=text))


class _Watch:
    """Looks at a held place whenever the coordinator tells of a change."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: tuple[Coordinator, str, Desk] | None = None

    def begin(self, session: Coordinator, place: str, desk: Desk) -> None:
        with self._lock:
            self._held = (session, place, desk)
        self.look()

    def end(self) -> None:
        with self._lock:
            held, self._held = self._held, None
        if held is not None:
            allow_port(held[2].console)

    def look(self) -> None:
        """In the session's thread: end the port of a place that is not ours any more."""
        with self._lock:
            if self._held is None:
                return
            session, name, desk = self._held
            reason = _lost(session, name)
            if reason and not desk.lost:
                desk.lost = reason
                end_port(desk.console, reason)


def _lost(session: Coordinator, name: str) -> str:
    """Why a place is not ours any more; empty while it is."""
    state = session.place(name)
    if state is None:
        return f"the place {name} was deleted"
    if state.holder != session.user:
        return f"the place {name} was taken away: {state.holder or 'nobody'} holds it"
    gone = sorted({path[0] for path in state.resources if session.resource(path) is None})
    if gone:
        return f"the exporter {', '.join(gone)} of the place {name} is gone"
    return ""
