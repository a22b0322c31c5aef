"""The production image and the production compose file, unchanged, on a real engine: what the README promises of one
process holds of many containers, whichever of them is lost. One story, told in the order of the tests."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg2
import pytest

from bench.deployment.engine import PYTHON, ROOT, Engine, NoEngineError, engine, make_images
from bench.deployment.stack import PORTS, SECRET, SERVICES, Stack
from orders_pipeline import run_tags
from orders_pipeline.backlog import ranges
from orders_pipeline_tests.support.online_retail import ONLINE_RETAIL, assert_all_rejects, assert_all_totals
from orders_pipeline_tests.support.runbook import blocks

pytestmark = [
    pytest.mark.deploy,
    pytest.mark.skipif(
        not ONLINE_RETAIL.is_dir(), reason="the real orders (../shared/data/online_retail) are not beside this checkout"
    ),
]

IMAGE = "orders-pipeline:under-test"
NEXT_IMAGE = "orders-pipeline:next-under-test"
FILES = sorted(ONLINE_RETAIL.glob("*.csv"))
MORE = FILES[::4]  # land again, under another prefix, while something else goes on
ARRIVAL = "pipeline_name = 's3_arrival'"
WAITS_TO_TAKE_FILES = (
    "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND classid = 3557 AND objid = 2 AND NOT granted)"
    " AS waits"
)
FAILED = "status IN ('FAILURE', 'CANCELED')"


@contextmanager
def timed(what: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    print(f"{what}: {time.monotonic() - started:.0f} s", flush=True)


@contextmanager
def skipped_without_an_engine() -> Iterator[None]:
    try:
        yield
    except NoEngineError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def docker() -> Iterator[tuple[Engine, Path]]:
    with TemporaryDirectory(prefix="orders-deploy-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with skipped_without_an_engine(), engine(folder) as found:
            yield found, folder


@pytest.fixture(scope="module")
def stack(docker: tuple[Engine, Path]) -> Iterator[Stack]:
    """Two workers, brought up from nothing."""
    client, folder = docker
    with skipped_without_an_engine(), timed("base images"):
        make_images(client, folder)
    with timed("the image"):
        client.build(folder, f"--build-arg=PYTHON_IMAGE={PYTHON}", f"--tag={IMAGE}", str(ROOT))
    stack = Stack(client, folder, IMAGE)
    try:
        with timed("up"):
            stack.up()
        yield stack
    finally:
        stack.compose("down", "--volumes", "--timeout", "5")


def test_the_image_is_small_and_runs_as_nobody(stack: Stack) -> None:
    image = json.loads(stack.call("image", "inspect", IMAGE))[0]
    base = json.loads(stack.call("image", "inspect", PYTHON))[0]
    print(f"image: {(image['Size'] - base['Size']) >> 20} MiB above its base", flush=True)
    assert image["Config"]["User"] == "10001:10001"
    listed = json.loads(stack.exec("code", "/opt/orders/bin/pip", "list", "--format=json"))
    assert {"pytest", "moto", "mypy", "hatchling"}.isdisjoint(package["name"] for package in listed)
    for name in stack.containers():
        settings = stack.inspect(name)["HostConfig"]
        assert settings["ReadonlyRootfs"], name
        assert settings["CapDrop"] == ["ALL"], name
        assert settings["SecurityOpt"] == ["no-new-privileges:true"], name
        assert settings["Memory"] > 0, name
        assert settings["LogConfig"]["Config"]["max-size"], name


def test_only_the_proxy_is_published_and_nothing_behind_it_is_reached_from_there(stack: Stack) -> None:
    published = {
        name: [binding["HostIp"] for bindings in ports.values() for binding in bindings or []]
        for name in stack.containers()
        if any((ports := stack.inspect(name)["NetworkSettings"]["Ports"]).values())
    }
    assert published == {stack.containers("proxy")[0]: ["127.0.0.1", "127.0.0.1"]}

    proxy = stack.containers("proxy")[0]
    for place in ("postgres:5432", "redis:6379", "code:4000", "s3:5000"):
        said = stack.call("exec", proxy, "curl", "--max-time", "5", f"telnet://{place}", check=False)
        assert "Could not resolve host" in said, place
        address = f"{stack.address(place.partition(':')[0])}:{place.partition(':')[2]}"
        said = stack.call("exec", proxy, "curl", "--max-time", "5", "--verbose", f"telnet://{address}", check=False)
        assert "Connected to" not in said, place


def test_no_one_comes_in_without_a_password_and_a_viewer_changes_nothing(stack: Stack) -> None:
    for door in PORTS:
        for path in ("/", "/server_info", "/graphql", "/logo.svg"):
            assert stack.visit(door, path=path)[0] == 401
        assert stack.visit(door, door)[0] == 200
        assert stack.open_websocket(door) == 101
    assert stack.visit("operators", "viewers")[0] == stack.visit("viewers", "operators")[0] == 401

    change = (
        b'{"query": "mutation {reloadRepositoryLocation(repositoryLocationName: \\"orders_pipeline\\") {__typename}}"}'
    )
    done = {door: stack.visit(door, door, "/graphql", change)[1] for door in PORTS}
    assert "WorkspaceLocationEntry" in done["operators"]
    assert "UnauthorizedError" in done["viewers"]
    for site, status in {"cross-site": 403, "same-site": 403, "none": 200}.items():
        assert stack.visit("operators", "operators", "/graphql", change, site)[0] == status
        assert stack.visit("operators", "operators", "/runs", site=site)[0] == 200  # a link in an alert
        for path in ("/graphql?query={version}", "//graphql", "/x/../graphql", "/report_asset_materialization/x"):
            assert (stack.visit("operators", "operators", path, b"{}", site)[0] == 403) == (status == 403), (site, path)

    assert stack.visit("operators", "operators", "/graphql", b"x" * (2 << 20))[0] == 413
    with ThreadPoolExecutor(4) as threads:
        answers = [
            status for many in threads.map(lambda _: stack.visit_often("viewers", 900), range(4)) for status in many
        ]
    assert set(answers) == {200, 429}


def test_without_users_the_proxy_does_not_start_and_without_a_certificate_it_says_so(stack: Stack) -> None:
    proxy = ["run", "--rm", "--read-only", "--user=101:101", "--tmpfs=/tmp", "--entrypoint=sh"]
    mounts = [f"--volume={ROOT / 'deploy/proxy'}:/etc/orders-proxy:ro"]
    image = stack.inspect(stack.containers("proxy")[0])["Config"]["Image"]
    said = stack.call(*proxy, *mounts, image, "/etc/orders-proxy/start.sh", check=False)
    assert "No users: write" in said

    for user in ("operators", "viewers"):
        mounts.append(f"--volume={stack.private / user}:/etc/orders-proxy-private/{user}:ro")
    look = 'sed "s/^exec nginx/nginx -t/" /etc/orders-proxy/start.sh > /tmp/start.sh; sh /tmp/start.sh'
    said = stack.call(*proxy, *mounts, image, "-c", look)
    assert "No certificate" in said
    assert "test is successful" in said


def test_a_lost_worker_s_run_is_noticed_and_its_files_are_loaded_by_the_other(stack: Stack) -> None:
    """The worker dies with files in hand: its run waits for the lock under which files become active, which we hold."""
    host = stack.address("postgres")
    holder = psycopg2.connect(host=host, user="orders", password=SECRET, dbname="orders")
    holder.cursor().execute("SELECT pg_advisory_lock(3557, 2)")
    with timed(f"landing {len(FILES)} files"):
        stack.land(FILES)
    run = stack.wait_for("a run begins", lambda: stack.runs(f"{ARRIVAL} AND status = 'STARTED'"))[0]["run_id"]
    lost = stack.wait_for("its worker is known", lambda: stack.worker_of(run))
    held = "SELECT count(DISTINCT objid) AS held FROM pg_locks WHERE locktype = 'advisory' AND classid = 3558"
    stack.wait_for("it holds its own lock", lambda: stack.query(held)["held"][0] == 1)
    stack.call("kill", lost)
    holder.close()
    assert len(stack.containers("worker")) == 1

    with timed("noticing the lost worker"):
        stack.wait_for("its run is failed", lambda: stack.runs(f"run_id = '{run}' AND status = 'FAILURE'"), 120)
    assert "its worker is gone" in stack.messages_of(run)
    with timed("loading everything with one worker"):
        stack.wait_for("everything is settled", stack.is_settled, 420, pause=5)
    assert_all_totals(stack)
    assert_all_rejects(stack, "landing/")
    failed = [run_["run_id"] for run_ in stack.runs(FAILED)]
    assert failed == [run]
    print("totals:", stack.query("SELECT count(*), sum(order_count), sum(revenue) FROM analytics.daily_revenue").values)

    stack.call("start", lost)
    stack.wait_until_well()
    assert len(stack.containers("worker")) == 2


def test_a_backfill_leaves_a_place_for_an_arrival(stack: Stack) -> None:
    days = [date(2011, 1, 1) + timedelta(days=number) for number in range(8 * 31)]
    with held(stack, "LOCK TABLE analytics.daily_revenue_partitioned IN EXCLUSIVE MODE"):  # no run of it can end
        for asked in ranges(days):
            stack.launch("stale_days", {**run_tags.of_range(*asked), run_tags.FULL_REFRESH: "true", "test": "backfill"})
        asked_for = len(stack.runs(ARRIVAL))
        stack.land(FILES[:1], "meanwhile/")
        begun = f"{ARRIVAL} AND start_time IS NOT NULL"
        with timed("an arrival's run begins beside a backfill"):
            stack.wait_for("the arrival's run begins", lambda: stack.runs(begun)[asked_for:], 90)
        backfill = "run_id IN (SELECT run_id FROM run_tags WHERE key = 'test')"
        assert stack.runs(f"{backfill} AND status = 'QUEUED'")
        assert len(stack.runs(f"{backfill} AND status = 'STARTED'")) <= 1
    stack.wait_for("everything is settled", stack.is_settled, 480, pause=5)


def test_postgres_redis_and_the_daemon_restart_under_load(stack: Stack) -> None:
    with landing(stack, "again/") as rest:
        for service in ("postgres", "redis", "daemon"):
            wait_for_a_run_at_work(stack, f"before-{service}-restarts/")
            stack.call("kill" if service != "daemon" else "stop", stack.containers(service)[0])
            stack.compose("up", "--detach", "--no-build", "--no-deps", service)
            stack.wait_until_well()
        rest()
    with timed("settling after the restarts"):
        stack.wait_for("everything is settled", stack.is_settled, 480, pause=5)
    assert_all_totals(stack)


def test_an_upgrade_service_by_service_under_load_fails_no_run(stack: Stack, docker: tuple[Engine, Path]) -> None:
    client, folder = docker
    newer = folder / "newer.Dockerfile"
    newer.write_text(f"FROM {IMAGE}\nLABEL release=next\n")
    client.build(folder, f"--tag={NEXT_IMAGE}", f"--file={newer}", str(folder / "private"))
    failed = len(stack.runs(FAILED))
    stack.set(ORDERS_IMAGE=NEXT_IMAGE)
    with landing(stack, "once-more/") as rest:
        with timed("a rolling upgrade"):
            for service in ("migrate", "code", "webserver", "viewer", "daemon"):
                stack.compose("up", "--detach", "--no-build", "--no-deps", service)
                stack.wait_until_well()
            wait_for_a_run_at_work(stack, "before-the-workers-end/")
            # A worker is told to end, and ends when its run has.
            stack.compose("up", "--detach", "--no-build", "--no-deps", "worker", seconds=600)
            stack.wait_until_well()
        rest()
    with timed("settling after the upgrade"):
        stack.wait_for("everything is settled", stack.is_settled, 480, pause=5)
    assert_all_totals(stack)
    assert len(stack.runs(FAILED)) == failed
    images = {
        stack.inspect(name)["Config"]["Image"]
        for service in ("code", "daemon", "worker")
        for name in stack.containers(service)
    }
    assert images == {NEXT_IMAGE}


def test_down_and_up_again_loses_nothing(stack: Stack) -> None:
    """Everything but the S3 server, which stands for one elsewhere."""
    tables = ("daily_revenue", "daily_revenue_partitioned", "rejected_orders")
    before = {
        table: sorted(stack.query(f"SELECT * FROM analytics.{table}").astype(str).values.tolist()) for table in tables
    }
    runs = len(stack.runs())
    with timed("down and up"):
        stack.compose("stop", *SERVICES)
        stack.compose("rm", "--force", "-v", *SERVICES)
        assert stack.containers() == stack.containers("s3")
        stack.up()
    since = time.time()
    ticks = (
        f"SELECT count(*) AS ticks FROM job_ticks WHERE status = 'SKIPPED' AND extract(epoch FROM timestamp) > {since}"
    )
    stack.wait_for("the sensors have looked", lambda: stack.query(ticks, "dagster")["ticks"][0] >= 4, 120)
    assert stack.is_settled()
    assert len(stack.runs()) == runs
    assert {
        table: sorted(stack.query(f"SELECT * FROM analytics.{table}").astype(str).values.tolist()) for table in tables
    } == before
    assert_all_totals(stack)


def test_a_dump_is_restored_and_completed_as_the_document_says(stack: Stack, tmp_path: Path) -> None:
    """What landed after the dump comes back: from S3, or where S3 has it no more, from the lake."""
    dump, restore = blocks("Backup", page=(ROOT / "docs/deploy.md").read_text())
    taken = "SELECT key, run_id FROM ledger.landed_files WHERE active ORDER BY key"
    before = stack.query(taken)
    new = tmp_path / "new.csv"
    new.write_text("order_id,customer_id,amount,order_date\nnew,ann,1.00,2011-12-20\n")
    stack.shell(dump, tmp_path)
    stack.land([new, *FILES[:20]], "after-the-dump/")
    stack.wait_for("what came after the dump is loaded", stack.is_settled, 240, pause=5)
    stack.remove_from_s3("landing/after-the-dump/new.csv")

    with timed("a restore"):
        for line in restore.splitlines():
            stack.shell(line, tmp_path)
        stack.wait_until_well()
        stack.wait_for("everything is settled", stack.is_settled, 240, pause=5)

    after = stack.query(taken).set_index("key")["run_id"]
    assert after[before["key"]].tolist() == before["run_id"].tolist()  # from the dump, and not read again
    assert after["landing/after-the-dump/new.csv"] == "recover"
    of_the_day = "FROM analytics.daily_revenue WHERE order_date = '2011-12-20'"
    assert stack.query(f"SELECT revenue::text {of_the_day}")["revenue"].tolist() == ["1.00"]
    stack.exec("code", "orders-pipeline", "retract", "landing/after-the-dump/new.csv")
    stack.landed -= 1
    stack.wait_for("everything is settled", stack.is_settled, 240, pause=5)
    assert_all_totals(stack)


@contextmanager
def held(stack: Stack, lock: str) -> Iterator[None]:
    """A lock in the pipeline's database, for as long as the block runs."""
    host = stack.address("postgres")
    holder = psycopg2.connect(host=host, user="orders", password=SECRET, dbname="orders")
    try:
        holder.cursor().execute(lock)
        yield
    finally:
        holder.close()


def wait_for_a_run_at_work(stack: Stack, prefix: str) -> None:
    """Wait until a run is at work, and let it go on. Whatever landed before may be done with, so a file lands for it
    here; and the run cannot end unseen, for the lock under which it takes files is held until it waits for it."""
    with held(stack, "SELECT pg_advisory_lock(3557, 2)"):
        stack.land(MORE[:1], prefix)
        stack.wait_for("a run is at work", lambda: stack.query(WAITS_TO_TAKE_FILES)["waits"][0], 180)


@contextmanager
def landing(stack: Stack, prefix: str, pause: float = 0.5) -> Iterator[Callable[[], None]]:
    """Land files again under a prefix, one after the other, beside what happens meanwhile. What is yielded waits
    for the last of them."""
    problems: list[Exception] = []

    def land() -> None:
        try:
            for file in MORE:
                stack.land([file], prefix)
                time.sleep(pause)
        except Exception as problem:
            problems.append(problem)

    thread = threading.Thread(target=land)
    thread.start()

    def rest() -> None:
        thread.join()
        assert not problems

    try:
        yield rest
    finally:
        thread.join()
