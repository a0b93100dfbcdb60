"""What a holder does: renews, notices a loss, gives back, waits for others; and what it leaves behind when it dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from fineforge import engine
from fineforge.core.diagnostics import Diagnostic, FineforgeError
from fineforge.core.events import Event, EventKind, Outcome
from fineforge.core.gateway import Progress
from fineforge.core.objects import ResourceKey
from fineforge.core.plan import Mode, Plan
from fineforge.execution import lease as leasing
from fineforge.host import holder
from fineforge.host.holder import Holder
from tests.scenarios.stories.telling import Telling
from tests.support import single
from tests.support.memory import MemoryGateway, MemoryLeases
from tests.unit.execution.lease.conftest import new

NAME = "support/support"
OFTEN = leasing.Terms(renew_seconds=0.01)
OUT_OF_REACH = FineforgeError(Diagnostic("FF532", "the storage is out of reach"))
THEIRS, THEIR_ID = Holder("bob", "elsewhere", "2026-03-01T12:00:05Z", "apply"), new()


class NoRenewals(MemoryLeases):
    """No renewal gets an answer."""

    def renew(self, name: str, lease: str) -> bool:
        raise OUT_OF_REACH


@pytest.fixture
def told(tmp_path: Path) -> Telling:
    return Telling(tmp_path)


def held_by_bob(told: Telling) -> MemoryLeases:
    leases = told.gateway.leases()
    assert leases.take(NAME, THEIR_ID, 60)
    leases.write(NAME, THEIR_ID, THEIRS.note())
    return leases


def carry_out(
    told: Telling,
    made: Plan,
    terms: leasing.Terms,
    listen: Callable[[Event], None] = lambda _: None,
    stop: threading.Event | None = None,
) -> int:
    return engine.outcome_exit_code(single.apply(made, told.loaded(), told.gateway, listen, stop, lease=terms))


@contextmanager
def held(told: Telling, terms: leasing.Terms) -> Iterator[leasing.Lease]:
    """The lease of the spec, for as long as the block lasts."""
    spec, stop = told.loaded().at("dev"), threading.Event()
    with engine.hold_leases(told.gateway, terms, stop) as leases:
        leases.acquire([(spec, told.plan())])
        yield leases.held[spec.path]


def left_behind() -> list[str]:
    return [file.name for file in Path(tempfile.gettempdir()).glob("fineforge-lease-*")]


def test_held_while_it_writes_and_given_back(told: Telling) -> None:
    seen: list[Holder] = []

    def look(event: Event) -> None:
        if event.kind is EventKind.STARTED:
            seen.extend(other for _, other in leasing.held(told.gateway, NAME))

    made = told.plan()
    assert carry_out(told, made, leasing.AT_ONCE, look) == 0
    assert len(seen) == len(made.steps) and len(set(seen)) == 1
    assert seen[0].command == "apply" and seen[0].who and seen[0].host and seen[0].since
    assert leasing.held(told.gateway) == [] and left_behind() == []


def test_given_back_where_a_job_is_left_alone(tmp_path: Path) -> None:
    """The job goes on for hours; the next apply may begin."""

    class Running(MemoryGateway):
        def get(self, key: ResourceKey) -> Any:
            raw = super().get(key)
            return raw if key.kind != "job" or raw is None else {**raw, "properties": {**raw["properties"], "status": "Running"}}

    told = Telling(tmp_path, Running)
    outcome = single.apply(told.plan(), told.loaded(), told.gateway, lambda _: None, detach=True)
    assert outcome.detached and outcome.running
    assert leasing.held(told.gateway) == []


def test_a_destroy_holds_it_too(told: Telling) -> None:
    told.apply()
    made = told.plan(Mode.DESTROY)
    held_by_bob(told)
    with pytest.raises(FineforgeError, match="FF530"):
        carry_out(told, made, leasing.AT_ONCE)
    told.gateway.leases().release(NAME, THEIR_ID)
    seen: list[str] = []
    assert (
        carry_out(told, made, leasing.AT_ONCE, lambda _: seen.extend(who.command for _, who in leasing.held(told.gateway))) == 0
    )
    assert set(seen) == {"destroy"}


def test_no_lease_where_nothing_is_written(told: Telling) -> None:
    told.apply()
    held_by_bob(told)
    assert carry_out(told, told.plan(), leasing.AT_ONCE) == 0
    with leasing.ensured(leasing.AT_ONCE, told.plan(), ("a", "b"), told.folder, told.gateway, threading.Event()) as lease:
        assert lease is None


def test_refused_at_once(told: Telling) -> None:
    held_by_bob(told)
    with pytest.raises(FineforgeError) as caught:
        carry_out(told, told.plan(), leasing.AT_ONCE)
    (found,) = caught.value.diagnostics
    assert (caught.value.exit_code, found.code) == (5, "FF530")
    assert "by `bob` on `elsewhere`, since 2026-03-01 12:00:05 UTC, `apply`" in found.message
    assert "--lock-timeout" in found.hint and "60 s" in found.hint
    assert told.gateway.writes == [] and left_behind() == []


def test_not_wanted(told: Telling) -> None:
    held_by_bob(told)
    assert carry_out(told, told.plan(), leasing.Terms(wanted=False)) == 0


def test_waits_until_it_is_free(told: Telling) -> None:
    leases, said = held_by_bob(told), list[str]()

    def tell(message: str) -> None:
        said.append(message)
        leases.release(NAME, THEIR_ID)

    made = told.plan()
    with leasing.ensured(
        leasing.Terms(timeout=60, tell=tell, poll_seconds=0.01),
        made,
        ("support", "support"),
        told.folder,
        told.gateway,
        threading.Event(),
    ) as lease:
        assert lease is not None and lease.waited
    (message,) = said
    assert message.startswith(f"`{NAME}` is held by `bob` on `elsewhere`") and message.endswith("waiting up to 60 s")


def test_the_wait_has_an_end(told: Telling) -> None:
    held_by_bob(told)
    said: list[str] = []
    with pytest.raises(FineforgeError, match="FF530"):
        carry_out(told, told.plan(), leasing.Terms(timeout=0.05, tell=said.append, poll_seconds=0.01))
    assert len(said) == 1, "who is waited for is told once"


def test_the_wait_is_interrupted(told: Telling) -> None:
    held_by_bob(told)
    stop = threading.Event()
    terms = leasing.Terms(timeout=3600, tell=lambda _: stop.set())
    with pytest.raises(FineforgeError) as caught:
        carry_out(told, told.plan(), terms, stop=stop)
    assert caught.value.exit_code == 130


def test_renewed_while_it_lives(told: Telling) -> None:
    renewed = threading.Semaphore(0)

    class Counting(MemoryLeases):
        def renew(self, name: str, lease: str) -> bool:
            renewed.release()
            told.gateway.cloud.planted.later(40)
            return super().renew(name, lease)

    told.gateway.leases_type = Counting
    with held(told, OFTEN) as lease:
        assert lease is not None
        assert all(renewed.acquire(timeout=60) for _ in range(5)), "40 s later each time: it outlives the 60 s by far"
        assert not lease.lost()


def test_many_leases_have_one_keeper(told: Telling) -> None:
    """Each is renewed, and the threads are not as many as the specs. The last one ends it, the next one begins it again."""
    names = {f"shop/{number}" for number in range(40)}
    renewed = {name: threading.Event() for name in names}

    class Noting(MemoryLeases):
        def renew(self, name: str, lease: str) -> bool:
            renewed[name].set()
            return super().renew(name, lease)

    told.gateway.leases_type = Noting
    made, before = told.plan(), threading.active_count()
    for _ in range(2):
        with ExitStack() as stack:
            for name in names:
                project, _, spec = name.partition("/")
                held = leasing.ensured(OFTEN, made, (project, spec), told.folder, told.gateway, threading.Event())
                assert stack.enter_context(held) is not None
            assert all(event.wait(60) for event in renewed.values())
            assert threading.active_count() - before <= 1 + leasing.RENEWED_AT_ONCE
        for event in renewed.values():
            event.clear()
    assert leasing.held(told.gateway) == []


def test_a_lease_runs_from_when_it_was_asked_for(told: Telling) -> None:
    """The storage answered late; what it gave has been running since."""
    now = [0.0]

    class Late(NoRenewals):
        def take(self, name: str, lease: str, seconds: int) -> bool:
            taken = super().take(name, lease, seconds)
            now[0] += 30
            return taken

    told.gateway.leases_type = Late
    terms = leasing.Terms(clocks=lambda: (now[0], 1e9))
    with held(told, terms) as lease:
        assert lease is not None and not lease.lost()
        now[0] += 26
        assert lease.lost()


def test_ended_by_hand_nothing_new_is_started(tmp_path: Path) -> None:
    """What runs is waited for; the steps that need it are not begun."""
    noticed, said = threading.Event(), list[str]()

    def tell(message: str) -> None:
        said.append(message)
        noticed.set()

    class Waiting(MemoryGateway):
        def wait(self, key: ResourceKey, progress: Progress, stopped: Callable[[], bool]) -> Any:
            if key.kind == "job":
                assert leasing.end(self, NAME)
                held_by_bob(told)
                assert noticed.wait(60)
            return super().wait(key, progress, stopped)

    told = Telling(tmp_path, Waiting)
    made = told.plan()
    outcome = single.apply(made, told.loaded(), told.gateway, lambda _: None, lease=leasing.Terms(tell=tell, renew_seconds=0.01))
    steps = {step.id: step.key.kind for step in made.steps}
    assert engine.outcome_exit_code(outcome) == 5
    assert outcome.lost is not None and outcome.lost.code == "FF531"
    assert "it is held by `bob` on `elsewhere`" in outcome.lost.message
    assert said == [f"{outcome.lost.message}; no new steps will start, running operations continue"]
    assert {steps[name] for name in outcome.done} >= {"compute", "data", "job"} and not outcome.running
    assert {outcome.skipped[name] for name in outcome.skipped} == {"the apply lease, which was lost"}
    assert {steps[name] for name in outcome.skipped} >= {"model", "deployment"}
    assert leasing.held(told.gateway, NAME) == [(NAME, THEIRS)], "what somebody else has is not given back"


def test_storage_out_of_reach(told: Telling) -> None:
    """No renewal comes through: as long as the lease lasts nothing is lost, then everything."""
    now = [0.0]
    told.gateway.leases_type = NoRenewals
    said: list[str] = []
    terms = leasing.Terms(tell=said.append, clocks=lambda: (now[0], 1e9))
    with held(told, terms) as lease:
        assert lease is not None
        now[0] = 54
        assert not lease.lost()
        now[0] = 56
        assert lease.lost() and lease.why is not None and "out of reach" in lease.why.message
    assert len(said) == 1


def test_a_machine_that_slept(told: Telling) -> None:
    """One clock stood still: before anything new is started the storage is asked, and it is still ours."""
    clocks = [(0.0, 1e9)]
    terms = leasing.Terms(clocks=lambda: clocks[0])
    with held(told, terms) as lease:
        assert lease is not None
        told.gateway.cloud.planted.later(7200)
        clocks[0] = (1.0, 1e9 + 7200)
        assert not lease.lost()
        told.gateway.cloud.planted.later(7200)
        held_by_bob(told)
        clocks[0] = (2.0, 1e9 + 14400)
        assert lease.lost()


def test_what_cannot_be_given_back_is_told(told: Telling) -> None:
    class NoReleases(MemoryLeases):
        def release(self, name: str, lease: str) -> None:
            raise OUT_OF_REACH

    told.gateway.leases_type = NoReleases
    said: list[str] = []
    assert carry_out(told, told.plan(), leasing.Terms(tell=said.append)) == 0, "all is done"
    assert [message.partition("; ")[2] for message in said] == ["the apply lease expires within 60 s"]
    told.gateway.leases_type = MemoryLeases
    told.data["deployment"]["instances"] = 2
    assert carry_out(told, told.plan(), leasing.AT_ONCE) == 0, "its holder is known to be gone"


def test_taken_without_an_answer(told: Telling) -> None:
    """The storage gave it to us, and we were never told: the next apply takes it from us."""

    class Unanswered(MemoryLeases):
        def take(self, name: str, lease: str, seconds: int) -> bool:
            assert super().take(name, lease, seconds)
            raise OUT_OF_REACH

    told.gateway.leases_type = Unanswered
    with pytest.raises(FineforgeError, match="FF532"):
        carry_out(told, told.plan(), leasing.AT_ONCE)
    told.gateway.leases_type = MemoryLeases
    assert told.gateway.cloud.leases.look("leases", NAME).locks
    assert carry_out(told, told.plan(), leasing.AT_ONCE) == 0
    assert left_behind() == []


def test_a_holder_of_this_machine_that_died_is_not_waited_for(told: Telling) -> None:
    """Its lock goes with the process, however that ends."""
    theirs, place = new(), f"{told.gateway.workspace.id} {NAME}"
    program = f"with holder.alive({theirs!r}, {place!r}):\n    print('alive', flush=True)\n    sys.stdin.read()"
    code = f"import sys\nfrom fineforge.host import holder\n{program}"
    environment = {**os.environ, "TMPDIR": tempfile.gettempdir()}
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )
    assert process.stdout is not None and process.stdin is not None
    with process.stdin, process.stdout:
        assert process.stdout.readline() == "alive\n"
        leases = told.gateway.leases()
        assert leases.take(NAME, theirs, 60)
        assert list(holder.died_here(place)) == []
        with pytest.raises(FineforgeError, match="FF530"):
            carry_out(told, told.plan(), leasing.AT_ONCE)
        process.send_signal(signal.SIGKILL)
        process.wait(60)
    assert list(holder.died_here(place)) == [theirs] and list(holder.died_here(f"{place}-2")) == []
    assert carry_out(told, told.plan(), leasing.AT_ONCE) == 0
    assert left_behind() == []


@pytest.fixture
def killed(told: Telling) -> str:
    """The id of a lease whose holder was killed on this machine."""
    lease, place = new(), f"{told.gateway.workspace.id} {NAME}"
    code = f"import os\nfrom fineforge.host import holder\nwith holder.alive({lease!r}, {place!r}):\n    os.kill(os.getpid(), 9)"
    environment = {**os.environ, "TMPDIR": tempfile.gettempdir()}
    assert subprocess.run([sys.executable, "-c", code], env=environment, timeout=60).returncode == -signal.SIGKILL
    return lease


def test_a_rerun_that_writes_nothing_releases_the_lease_of_a_killed_run(told: Telling, killed: str) -> None:
    """Everything was done, and then it was killed."""
    told.apply()
    killed_run = told.gateway.leases()
    assert killed_run.take(NAME, killed, 60)
    killed_run.write(NAME, killed, THEIRS.note())
    made = told.plan()
    assert not made.writes and carry_out(told, made, leasing.AT_ONCE) == 0
    assert leasing.held(told.gateway) == [] and left_behind() == []


def test_a_rerun_that_writes_nothing_leaves_the_lease_of_a_living_holder(told: Telling) -> None:
    told.apply()
    held_by_bob(told)
    assert carry_out(told, told.plan(), leasing.AT_ONCE) == 0
    assert leasing.held(told.gateway, NAME) == [(NAME, THEIRS)]


def test_a_storage_that_refuses_stops_no_rerun_that_writes_nothing(told: Telling, killed: str) -> None:
    told.apply()
    made, leases = told.plan(), told.gateway.leases()
    assert leases.take(NAME, killed, 60)
    told.gateway.refuses_leases = True
    assert carry_out(told, made, leasing.AT_ONCE) == 0
    assert left_behind() == [f"fineforge-lease-{killed}"], "the next run tries again"


def held_for(plan: Plan, told: Telling) -> AbstractContextManager[leasing.Lease | None]:
    """The lease that an apply of the plan holds."""
    spec = told.loaded()
    return leasing.ensured(leasing.AT_ONCE, plan, spec.owner, spec.path.parent, told.gateway, threading.Event())


@pytest.mark.parametrize(("skipped", "lost"), [({"update endpoint/e": "the apply lease, which was lost"}, True), ({}, False)])
def test_a_lease_that_is_lost_when_all_is_done_is_no_failure(skipped: dict[str, str], lost: bool, told: Telling) -> None:
    made = told.plan()
    with held_for(made, told) as lease:
        assert lease is not None and leasing.end(told.gateway, NAME)
        held_by_bob(told)
        lease.renew()
        assert lease.why is not None
        outcome = leasing.judged(Outcome(made, (), {}, {}, skipped), [lease])
    assert (outcome.lost is lease.why) if lost else (outcome.lost is None)


def test_a_lease_whose_blob_was_deleted(told: Telling) -> None:
    with held_for(told.plan(), told) as lease:
        assert lease is not None and leasing.end(told.gateway, NAME)
        held_by_bob(told)
        del told.gateway.notes[NAME]
        lease.renew()
        assert lease.why is not None and "somebody ended it" in lease.why.message


def test_what_is_no_holders_is_left_alone(told: Telling) -> None:
    """Only a file of ours that nobody has locked speaks of a dead holder; a link does not."""
    place, elsewhere = "place", told.folder / "elsewhere"
    elsewhere.write_text(place, encoding="utf-8")
    link = Path(tempfile.gettempdir()) / f"fineforge-lease-{new()}"
    link.symlink_to(elsewhere)
    with holder.alive(new(), place):
        assert list(holder.died_here(place)) == []
    assert len(list(holder.died_here(place))) == 1
    for file in left_behind():
        (Path(tempfile.gettempdir()) / file).unlink()


SURROUNDINGS = {
    "GitHub": (
        {"GITHUB_ACTOR": "ann", "GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "o/r", "GITHUB_RUN_ID": "7",
         "GITHUB_SHA": "a" * 40},
        ("ann", "https://github.com/o/r/actions/runs/7", "a" * 40),
    ),
    "Azure Pipelines": (
        {"BUILD_REQUESTEDFOR": "Ann", "BUILD_BUILDID": "7", "SYSTEM_COLLECTIONURI": "https://dev.azure.com/o/",
         "SYSTEM_TEAMPROJECT": "my shop", "BUILD_SOURCEVERSION": "b" * 40},
        ("Ann", "https://dev.azure.com/o/my%20shop/_build/results?buildId=7", "b" * 40),
    ),
    "GitLab": (
        {"GITLAB_USER_LOGIN": "ann", "CI_JOB_URL": "https://gitlab.com/o/r/-/jobs/7", "CI_COMMIT_SHA": "c" * 40},
        ("ann", "https://gitlab.com/o/r/-/jobs/7", "c" * 40),
    ),
}  # fmt: skip


@pytest.mark.parametrize("where", SURROUNDINGS)
def test_who_we_are_in_ci(where: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given, expected = SURROUNDINGS[where]
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    found = holder.this_process("destroy", tmp_path)
    assert (found.who, found.run, found.commit) == expected
    assert found.command == "destroy" and Holder.read(found.note()) == found


def test_the_commit_of_the_folder(tmp_path: Path) -> None:
    assert holder.this_process("apply", tmp_path).commit == ""
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    for words in (("init", "-q"), (*identity, "commit", "-q", "--allow-empty", "-m", "first")):
        subprocess.run(["git", "-C", str(tmp_path), *words], check=True)
    commit = holder.this_process("apply", tmp_path).commit
    head = subprocess.run(["git", "-C", str(tmp_path), "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout
    assert len(commit) == 40 and commit == head.strip()
