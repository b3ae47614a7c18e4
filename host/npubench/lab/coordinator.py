"""A connection to labgrid's coordinator, in a thread of its own.

labgrid speaks gRPC through asyncio; here every call waits for its answer. What the coordinator
tells of itself (a place was taken away, an exporter is gone) is given to a listener.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar

from npubench.core.errors import DeviceError, ToolMissing, UsageError

log = logging.getLogger(__name__)

DEFAULT = "127.0.0.1:20408"
CALL_TIMEOUT_S = 15.0
BOARD_TAG = "board"
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One thing that an exporter offers, as its client sees it."""

    exporter: str
    group: str
    name: str
    kind: str
    values: Mapping[str, Any]
    available: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceState:
    """A place of the coordinator. ``board`` is its tag; ``holder``: ``host/user``, or empty."""

    name: str
    board: str
    tags: Mapping[str, str]
    holder: str
    reservation: str
    resources: tuple[tuple[str, str, str, str], ...]

    def is_tagged(self, board: str) -> bool:
        """Whether the coordinator itself knows that the board is here."""
        return self.tags.get(BOARD_TAG) == board


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A reservation: ``place`` once it is ours to acquire. ``ahead``: who waits before us for the
    same."""

    token: str
    state: str
    place: str
    ahead: int


class Coordinator:
    """A session. ``changed`` is called, in the session's thread, after every change that the
    coordinator tells."""

    def __init__(self, address: str, *, changed: Callable[[], None] | None = None) -> None:
        self.address = address
        self._changed = changed
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._session: Any = None

    def __enter__(self) -> Self:
        try:
            from labgrid.remote import client
        except ImportError as error:
            raise ToolMissing(
                "labgrid is not installed",
                argv=("labgrid",),
                hint="pip install 'npubench[farm]'",
            ) from error
        loop = self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=loop.run_forever, name="labgrid", daemon=True)
        self._thread.start()
        changed = self._changed

        class Session(client.ClientSession):  # type: ignore[misc]
            """labgrid's session, which also tells of changes."""

            async def on_resource_changed(self, *words: Any) -> None:
                await super().on_resource_changed(*words)
                self._tell()

            async def on_place_changed(self, place: Any) -> None:
                await super().on_place_changed(place)
                self._tell()

            async def on_place_deleted(self, name: str) -> None:
                await super().on_place_deleted(name)
                self._tell()

            def _tell(self) -> None:
                if changed is not None:
                    changed()

        async def start() -> Any:
            session = Session(self.address, loop)
            await session.start()
            return session

        try:
            self._session = self._call(start())
        except (client.Error, TimeoutError) as error:
            self._end()
            raise DeviceError(
                f"no labgrid coordinator answers at {self.address}",
                hint="start it: labgrid-coordinator -l 127.0.0.1:20408, or name yours: "
                "--coordinator HOST:PORT (docs/farm.md)",
            ) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        session, self._session = self._session, None
        if session is not None:

            async def leave() -> None:
                session.stopping.set()
                await session.stop()
                await session.close()

            try:
                self._call(leave())
            except Exception:
                log.debug("leaving the coordinator", exc_info=True)
        self._end()

    @property
    def user(self) -> str:
        """Who we are to the coordinator: ``host/user``."""
        return f"{self._session.gethostname()}/{self._session.getuser()}"

    @property
    def is_gone(self) -> bool:
        """Whether the coordinator has ended the session."""
        return self._session is None or bool(self._session.stopping.is_set())

    def places(self) -> tuple[PlaceState, ...]:
        """Every place, sorted by name."""
        return tuple(
            PlaceState(
                name=str(name),
                board=str(place.tags.get(BOARD_TAG, "")),
                tags=dict(place.tags),
                holder=place.acquired or "",
                reservation=place.reservation or "",
                resources=tuple(
                    (str(path[0]), str(path[1]), str(path[2]), str(path[3]))
                    for path in place.acquired_resources
                ),
            )
            for name, place in sorted(dict(self._session.places).items())
        )

    def place(self, name: str) -> PlaceState | None:
        """The place of that name."""
        return next((place for place in self.places() if place.name == name), None)

    def resource(self, path: tuple[str, str, str, str]) -> Resource | None:
        """A resource by exporter, group, class and name; None when its exporter is gone."""
        exporter, group, _, name = path
        found = self._session.resources.get(exporter, {}).get(group, {}).get(name)
        if found is None or "cls" not in found.data:
            return None
        return Resource(
            exporter=exporter,
            group=group,
            name=name,
            kind=str(found.cls),
            values=dict(found.params),
            available=bool(found.avail),
        )

    def reserve(self, wanted: Mapping[str, str]) -> Ticket:
        """Stand in the queue for a place with these tags (``name`` is a place's own name)."""
        from labgrid.remote.generated import labgrid_coordinator_pb2 as messages

        request = messages.CreateReservationRequest(
            filters={"main": messages.Reservation.Filter(filter=dict(wanted))}, prio=0.0
        )
        answer = self._ask("CreateReservation", request)
        return self._ticket(answer.reservation, wanted)

    def look(self, ticket: Ticket, wanted: Mapping[str, str]) -> Ticket:
        """How far we are in the queue; also keeps the reservation alive."""
        from labgrid.remote.generated import labgrid_coordinator_pb2 as messages

        answer = self._ask("PollReservation", messages.PollReservationRequest(token=ticket.token))
        return self._ticket(answer.reservation, wanted)

    def cancel(self, ticket: Ticket) -> None:
        """Leave the queue, or give the reserved place back."""
        from labgrid.remote.generated import labgrid_coordinator_pb2 as messages

        self._ask("CancelReservation", messages.CancelReservationRequest(token=ticket.token))

    def acquire(self, name: str) -> None:
        """Take a place. Raises DeviceError when somebody else has it or its resources."""
        from labgrid.remote.generated import labgrid_coordinator_pb2 as messages

        self._ask("AcquirePlace", messages.AcquirePlaceRequest(placename=name))
        self.sync()

    def release(self, name: str) -> None:
        """Give a place back, if we still have it."""
        from labgrid.remote.generated import labgrid_coordinator_pb2 as messages

        self._ask("ReleasePlace", messages.ReleasePlaceRequest(placename=name, fromuser=self.user))

    def sync(self) -> None:
        """Wait until all that the coordinator knew is known here."""
        self._call(self._session.sync_with_coordinator())

    def _ticket(self, reservation: Any, wanted: Mapping[str, str]) -> Ticket:
        from labgrid.remote.common import Reservation, ReservationState
        from labgrid.remote.generated import labgrid_coordinator_pb2 as messages

        mine = Reservation.from_pb2(reservation)
        answer = self._ask("GetReservations", messages.GetReservationsRequest())
        others = [Reservation.from_pb2(item) for item in answer.reservations]
        ahead = sum(
            other.state is ReservationState.waiting
            and other.token != mine.token
            and (-other.prio, other.created) < (-mine.prio, mine.created)
            and _overlap(other.filters.get("main", {}), wanted)
            for other in others
        )
        places = [name for group in mine.allocations.values() for name in group]
        return Ticket(
            token=mine.token, state=mine.state.name, place=places[0] if places else "", ahead=ahead
        )

    def _ask(self, method: str, request: Any) -> Any:
        import grpc

        async def call() -> Any:
            return await getattr(self._session.stub, method)(request)

        if self.is_gone:
            raise DeviceError(f"the labgrid coordinator at {self.address} is gone")
        try:
            return self._call(call())
        except grpc.RpcError as error:
            raise DeviceError(
                f"labgrid's coordinator at {self.address}: {_details(error)}"
            ) from error
        except TimeoutError as error:
            raise DeviceError(
                f"the labgrid coordinator at {self.address} did not answer in {CALL_TIMEOUT_S:g} s"
            ) from error

    def _call(self, coroutine: Coroutine[Any, Any, Answer]) -> Answer:
        assert self._loop is not None
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result(CALL_TIMEOUT_S)
        except BaseException:
            future.cancel()
            raise

    def _end(self) -> None:
        if self._loop is None or self._thread is None:
            return
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CALL_TIMEOUT_S)
        if not self._loop.is_running():
            self._loop.close()
        self._loop = self._thread = None


def _overlap(theirs: Mapping[str, str], ours: Mapping[str, str]) -> bool:
    """Whether two wishes may mean one place: no tag is asked for with two values."""
    return all(theirs.get(key, value) == value for key, value in ours.items())


def _details(error: Any) -> str:
    details = getattr(error, "details", None)
    return str(details() if callable(details) else error)


def require_host_port(address: str) -> str:
    """An address as HOST or HOST:PORT. Raises UsageError."""
    host, _, port = address.rpartition(":") if ":" in address else (address, "", "20408")
    if not host or not port.isdigit():
        raise UsageError(f"{address!r} is no coordinator", hint="write HOST:PORT")
    return f"{host}:{port}"
