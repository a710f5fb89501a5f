"""The WordPress image, run as the task definition runs it, against a real MariaDB."""

from __future__ import annotations

import fcntl
import json
import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from slpnb import engine as engines
from tests.engines import needs_engine
from tests.waiting import eventually
from tests.wordpress.world import HOST, PASSWORD, SALT, VERSION, open_world

pytestmark = needs_engine


@pytest.fixture(scope="module")
def world():
    with engines.find() as engine, open_world(engine) as opened:
        yield opened


@pytest.fixture(scope="module")
def site(world):
    """A network on subdomains, installed, with a second site."""
    code, said = world.task("install", WORDPRESS_ADMIN_PASSWORD="admin-canary")
    assert code == 0, said
    running = world.start()
    assert running.run("php", "/var/www/html/probe/site.php", "create", f"second.{HOST}", "/", "Second").isdigit()
    return running


def test_the_version_is_the_images_whatever_the_host_and_the_environment(world):
    site = world.start(IMAGE_VERSION="1.2.3")
    assert [site.get("/VERSION.txt", host).text for host in (HOST, "10.0.0.1", "nobody")] == [f"{VERSION}\n"] * 3


def test_deep_health_looks_at_php_the_database_and_the_uploads(site):
    seen = site.run("curl", "-sS", "-w", "%{http_code}", "http://127.0.0.1/healthz/deep")
    assert seen == "php: ok\ndatabase: ok\nuploads: ok\n200"
    assert list(site.uploads.glob(".health-*")) == []


def test_deep_health_is_closed_to_the_outside_whatever_the_headers_say(site):
    assert site.get("/healthz/deep").status == 403
    assert site.get("/healthz/deep", X_Forwarded_For="127.0.0.1", X_Real_IP="127.0.0.1").status == 403
    assert site.get("/healthz/deep", host="127.0.0.1").status == 403


def test_deep_health_says_what_is_broken(world):
    site = world.start(uploads_mode="ro", WORDPRESS_DB_PASSWORD="wrong")
    seen = site.run("curl", "-sS", "-w", "%{http_code}", "http://127.0.0.1/healthz/deep")
    assert seen == "php: ok\ndatabase: error 1045\nuploads: not writable\n503"


def test_installing_again_changes_nothing(world, site):
    assert site
    counts = "SELECT (SELECT COUNT(*) FROM wp_users), (SELECT COUNT(*) FROM wp_posts), (SELECT COUNT(*) FROM wp_blogs)"
    before = world.query(counts)
    code, said = world.task("install", WORDPRESS_ADMIN_USER="somebody")
    assert (code, said.strip()) == (0, f"wordpress: the network {HOST} is there; nothing to do")
    assert world.query(counts) == before


def test_two_installs_at_once_make_one_network(world):
    database = world.make_database("twice")
    with ThreadPoolExecutor() as pool:
        done = list(pool.map(lambda _: world.task("install", WORDPRESS_DB_NAME=database), range(2)))
    assert [code for code, _ in done] == [0, 0]
    assert sorted("nothing to do" in said for _, said in done) == [False, True]
    assert world.query("SELECT COUNT(*) FROM wp_site", database) == "1"


def test_an_install_killed_half_way_is_finished_by_the_next(world):
    database = world.make_database("half")
    world.task("install", WORDPRESS_DB_NAME=database)
    world.query("DELETE FROM wp_sitemeta; DELETE FROM wp_blogs; DELETE FROM wp_site", database)
    code, said = world.task("install", WORDPRESS_DB_NAME=database)
    assert (code, "is made" in said) == (0, True)
    assert world.query("SELECT domain FROM wp_blogs", database) == HOST
    assert world.query("SELECT COUNT(*) FROM wp_users", database) == "1"


def test_another_networks_database_is_refused(world, site):
    assert site
    code, said = world.task("install", WORDPRESS_HOST="other.example")
    assert code == 1
    assert f"the network in this database is {HOST}, WORDPRESS_HOST is other.example" in said


def test_each_subdomain_is_a_site(site):
    first, second = site.get_https("/"), site.get_https("/", f"second.{HOST}")
    assert (first.status, second.status) == (200, 200)
    assert f"<title>{HOST}</title>" in first.text
    assert "<title>Second</title>" in second.text
    assert f"https://second.{HOST}/" in second.text
    assert f"http://second.{HOST}" not in second.text


def test_a_front_door_on_another_port_can_be_logged_in_through(world):
    host = "door.example:8443"
    given = {"WORDPRESS_DB_NAME": world.make_database("port"), "WORDPRESS_HOST": host}
    assert world.task("install", **given)[0] == 0
    answer = world.start(**given).get_https("/wp-login.php", host)
    assert answer.status == 200
    assert "; domain=.door.example;" in answer.headers["Set-Cookie"]
    assert world.query("SELECT user_email FROM wp_users", "port") == "admin@door.example"


def test_nginx_listens_where_it_is_told_and_refuses_what_is_no_port(world, site):
    assert site
    moved = world.begin("serve", PORT="8080")
    eventually(lambda: "HTTP/1.1 200" in moved.run("curl", "-si", "http://127.0.0.1:8080/VERSION.txt"))
    code, said = world.task("serve", PORT="80; evil")
    assert (code, "PORT is 80; evil, must be 1 to 65535" in said) == (64, True)


def test_sites_in_subdirectories_have_their_pages_admin_and_files(world):
    database = world.make_database("folders")
    mode = {"WORDPRESS_DB_NAME": database, "WORDPRESS_MULTISITE": "subdirectory"}
    assert world.task("install", **mode)[0] == 0
    site = world.start(**mode)
    assert site.run("php", "/var/www/html/probe/site.php", "create", HOST, "/shop/", "Shop").isdigit()
    assert "<title>Shop</title>" in site.get_https("/shop/").text
    assert site.get_https("/shop/wp-admin").headers["Location"] == "/shop/wp-admin/"
    assert site.get_https("/shop/wp-login.php").status == 200
    assert site.get_https("/shop/wp-includes/css/buttons.css").headers["Content-Type"] == "text/css"


def test_https_is_believed_from_the_balancer_only(world, site):
    assert site.get_https("/wp-login.php").status == 200
    plain = site.get("/wp-login.php")
    assert (plain.status, plain.headers["Location"]) == (302, f"https://{HOST}/wp-login.php")
    strict = world.start(TRUSTED_PROXIES="203.0.113.0/24")
    assert strict.get_https("/wp-login.php").status == 302


@pytest.mark.parametrize("path", ["/wp-admin/install.php", "/wp-cron.php", "/wp-config.php", "/.git/config"])
def test_what_is_nobodys_business_is_not_there(site, path):
    assert site.get_https(path).status == 404


def test_an_upload_is_served_and_never_run(site):
    (site.uploads / "note.txt").write_text("a note")
    (site.uploads / "evil.php").write_text("<?php echo 'ran';")
    assert site.get("/wp-content/uploads/note.txt").text == "a note"
    assert site.get("/wp-content/uploads/evil.php").status == 404


def test_only_the_uploads_can_be_written(site):
    assert "Read-only file system" in site.run("touch", "/var/www/html/wp-content/plugins/new.php")
    assert site.run("touch", "/var/www/html/wp-content/uploads/new", user="www-data") == ""
    assert (site.uploads / "new").stat().st_uid == 33


def test_workers_are_not_root_and_code_is_compiled_once(site):
    seen = json.loads(site.get("/probe/opcache.php").text)
    assert seen == {"jit": True, "timestamps": "0", "user": 33}
    workers = site.run("ps", "-C", "nginx", "-o", "user=,args=").splitlines()
    assert {line.split()[0] for line in workers if "worker" in line} == {"www-data"}


@pytest.mark.parametrize(("memory", "workers"), [("256m", 2), ("512m", 4), ("1024m", 12)])
def test_the_pool_follows_the_memory_limit(world, memory, workers):
    site = world.start(memory)
    assert f"memory limit {memory[:-1]} MiB, at most {workers} PHP workers" in site.log()
    pools = site.run("grep", "-h", "max_children", "/run/slpnb/php-fpm.conf").split("\n")
    assert pools[0] == f"pm.max_children = {workers}"


def test_a_request_in_flight_is_finished_before_the_container_stops(world):
    site = world.start()
    with ThreadPoolExecutor() as pool:
        request = pool.submit(site.get, "/probe/slow.php")
        eventually(lambda: (site.uploads / "began").exists())
        stop = pool.submit(site.container.stop, timeout=60)
        eventually(lambda: "stopping: no new connections" in site.log())
        assert not request.done()
        (site.uploads / "began").unlink()
        assert request.result().text == "finished"
        stop.result()
    assert site.container.wait(timeout=30)["StatusCode"] == 0
    assert site.log().strip().endswith("wordpress: stopped")


def test_a_container_whose_workers_are_all_busy_is_not_taken_for_broken(world):
    site = world.start("512m")
    with ThreadPoolExecutor() as pool:
        requests = [pool.submit(site.get, "/probe/slow.php") for _ in range(4)]
        eventually(lambda: len(list(site.uploads.glob("busy-*"))) == 4)
        seen = site.run("curl", "-sS", "-m", "5", "-w", "%{http_code}", "http://127.0.0.1/healthz/deep")
        (site.uploads / "began").unlink()
    assert seen.endswith("uploads: ok\n200")
    assert [request.result().text for request in requests] == ["finished"] * 4


@pytest.mark.parametrize("process", ["nginx", "php-fpm"])
def test_a_container_without_one_of_its_servers_ends(world, process):
    site = world.start()
    site.run("sh", "-c", f"kill -9 $(pgrep -o {process})")
    assert site.container.wait(timeout=30)["StatusCode"] == 1
    assert "ended by itself; stopping" in site.log()


def test_what_is_left_without_a_parent_is_reaped(site):
    site.run("sh", "-c", "(sleep 0.1 &)")
    eventually(lambda: not re.search(r"sleep|defunct", site.run("ps", "-eo", "args=").replace("ps -eo", "")))


def test_cron_runs_what_is_due_on_every_site(world, site):
    hosts = [f"{HOST}/", f"second.{HOST}/"]
    for host in hosts:
        site.run("php", "/var/www/html/probe/site.php", "due", host)
    assert [site.run("php", "/var/www/html/probe/site.php", "left", host) for host in hosts] == ["due", "due"]
    code, said = world.task("cron")
    assert (code, "cron on 2 sites" in said) == (0, True)
    assert [site.run("php", "/var/www/html/probe/site.php", "left", host) for host in hosts] == ["done", "done"]


def test_cron_runs_by_itself_in_one_container_at_a_time(world, site):
    assert site
    first = world.start(CRON_SECONDS="1")
    eventually(lambda: "cron on 2 sites" in first.log())
    with (first.uploads / ".cron").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        eventually(lambda: "cron: another container is at it" in first.log())
        before = first.log().count("cron on 2 sites")
    eventually(lambda: first.log().count("cron on 2 sites") > before)
    first.container.stop(timeout=60)
    assert first.container.wait(timeout=30)["StatusCode"] == 0


def test_a_missing_variable_is_named_and_nothing_starts(world):
    code, said = world.task("serve", WORDPRESS_DB_PASSWORD="", WORDPRESS_NONCE_SALT="")
    assert (code, said.strip()) == (
        64,
        "wordpress: not set in the environment: WORDPRESS_DB_PASSWORD WORDPRESS_NONCE_SALT",
    )


def test_no_secret_is_in_the_image_the_log_or_the_process_list(world, site):
    image = world.engine.client.images.get(world.image.name)
    assert {item.partition("=")[0] for item in image.attrs["Config"]["Env"]} == {"PATH", "TINI_VERBOSITY"}
    seen = json.dumps(image.history()) + site.log() + site.run("ps", "-eo", "args=")
    assert "worker process" in seen
    assert not [secret for secret in (PASSWORD, SALT, "admin-canary") if secret in seen]
    assert site.run("find", "/etc/apt/apt.conf.d", "-name", "90proxy", "-size", "+0") == ""


def test_the_bill_of_materials_is_what_is_installed(world, site):
    parts = {part["name"]: part["version"] for part in json.loads(site.run("wordpress", "sbom"))["components"]}
    installed = site.run("dpkg-query", "-W", "-f", "${Package} ${Version}\n").split("\n")
    assert set(installed) - {""} <= {f"{name} {version}" for name, version in parts.items()}
    wordpress = site.run("php", "-r", "require '/var/www/html/wp-includes/version.php'; echo $wp_version;")
    assert (parts["wordpress"], "Twenty Twenty-Three" in parts) == (wordpress, True)
    labels = world.engine.client.images.get(world.image.name).labels
    assert labels["org.opencontainers.image.version"] == VERSION


def test_the_image_is_for_this_machine_and_small(world):
    assert world.image.manifest == world.image.entry_point == world.engine.architecture
    assert world.image.mib * 1024 * 1024 < 450_000_000
