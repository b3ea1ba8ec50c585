"""Pages of refusals: whom to ask, where it is told again, and templates of the administrator's own."""
import json
import re

import pytest

from lib import conf, metrics
from lib.client import Client
from lib.daemon import run_command
from lib.times import until

RULES = ('deny a { path /a; text "ask <us>"; } deny b { path /b; page rule.html; } '
         "deny c { method CONNECT; to shop.test; } " + conf.OPEN_RULES)
HOSTILE = "/a/<script>alert('1')&x"
OWN = """<!DOCTYPE html>
<html><head><title>{{status}} {{phrase}}</title></head><body class="{{side}}">
<h1 title='{{url}}'>{{method}} {{url}}</h1>
<p>{{host}} {{client}} {{cause}}: {{text}}
<p id=reason>{{reason}}
<p id=list>{{list}}
<p>rule {{rule}} at {{configured}}, matched {{matched}}, id {{id}}, {{time}}
<a href="{{why}}">why</a>
<a href="{{contact_url}}?subject={{id}}&amp;body={{url}}">{{contact}}</a>
</body></html>
"""


def ask(daemon, target, accept="text/html", method="GET", host="127.0.0.1"):
    with Client(daemon.port, host, source=None if ":" in host else "127.0.0.5") as client:
        return client.ask(f"{method} {target} HTTP/1.1\r\nHost: h.test\r\nAccept: {accept}\r\n\r\n".encode(),
                          method=method)


def config(extra, rules=RULES):
    return conf.forward(policy_text=conf.policy(rules, extra=extra), extra=metrics.ADMIN)


def start(proxyd, extra, files=None, rules=RULES, text=str):
    return proxyd(text(config(extra, rules)),
                  files={"hosts": conf.HOSTS, "rule.html": "<p>rule's own: {{rule}}", **(files or {})})


def test_contact(proxyd, origin):
    # covers: policy contact
    daemon = start(proxyd, "contact helpdesk@example.com;")
    url = origin.url("/a")
    assert '<a href="mailto:helpdesk@example.com">helpdesk@example.com</a>' in ask(daemon, url).body.decode()
    assert "\ncontact: helpdesk@example.com\n" in ask(daemon, url, "text/plain").body.decode()
    told = json.loads(ask(daemon, url, "application/json").body)
    assert (told["contact"], told["reason"], told["rule"]) == ("helpdesk@example.com", "ask <us>", "a")
    assert "contact: helpdesk@example.com" in ask(daemon, "shop.test:443", method="CONNECT").body.decode()
    assert "helpdesk@example.com" in ask(daemon, "/nothing").body.decode()
    assert "helpdesk@example.com" in ask(daemon, "/why?id=" + told["id"]).body.decode()
    daemon.reload(config('contact "the desk, <42>";'))
    page = ask(daemon, url).body.decode()
    assert "the desk, &lt;42&gt;" in page and "mailto" not in page


def test_each_refusal_leads_to_why(proxyd, origin):
    """By the address that the client has reached, on whatever the listener is bound; the id is the log's."""
    daemon = start(proxyd, "", text=lambda text: text.replace("127.0.0.1:{port}", "*:{port}"))
    for host, shown in (("127.0.0.1", "127.0.0.1"), ("127.0.0.9", "127.0.0.9"), ("::1", "[::1]")):
        told = json.loads(ask(daemon, origin.url("/a"), "application/json", host=host).body)
        assert told["why"] == f"http://{shown}:{daemon.port}/why?id={told['id']}"
        page = ask(daemon, origin.url("/a"), host=host).body.decode()
        again = re.search(r'<a href="http://[^/]+(/why\?id=\w+)">', page)[1]
        second = ask(daemon, again, host=host)
        assert second.status == 200 and again.split("=")[1] in second.body.decode()
        assert '<a href="/why">' in second.body.decode() and (host == "::1" or "127.0.0.5" in second.body.decode())
        assert "127.0.0.5" not in page, "a server's script may read it"
    told = ask(daemon, "shop.test:443", "application/json", "CONNECT")
    shown = re.search(r"^why: (.*id=(\w+))$", told.body.decode(), re.M)
    assert daemon.wait_log(shown[2]).get("rule") == "c"
    assert "why" not in json.loads(ask(daemon, "/nothing", "application/json").body)


def test_private_fields(proxyd, origin):
    daemon = start(proxyd, "")
    told = json.loads(ask(daemon, origin.url("/a"), "application/json").body)
    for target in ("/why?id=" + told["id"], "http://127.0.0.1:%d/why" % daemon.port):
        answer = ask(daemon, target)
        assert answer.status == 200 and answer.get("cache-control") == "no-store"
        assert answer.get("content-security-policy").startswith("default-src 'none'")
        assert answer.get("referrer-policy") == "no-referrer"
        assert answer.get("cross-origin-resource-policy") == "same-origin"


def test_error_page(proxyd, origin):
    """For all that the listener refuses or cannot serve, but where a rule has a page of its own."""
    # covers: policy error-page, policy rules deny page
    daemon = start(proxyd, "contact a@b.test; error-page own/page.html;", {"own/page.html": OWN})
    page = ask(daemon, origin.url(HOSTILE)).body.decode()
    identity = re.search(r"id (\w{32})", page)[1]
    assert "<title>403 Forbidden</title>" in page and 'class="rules"' in page and "origin.test" in page
    assert "<p id=reason>ask &lt;us&gt;\n" in page and "id=list" not in page
    assert "<script" not in page and page.count("/a/%3Cscript%3Ealert(&#39;1&#39;)&amp;x") == 3
    assert f'<a href="http://127.0.0.1:{daemon.port}/why?id={identity}">' in page
    assert f'href="mailto:a@b.test?subject={identity}&amp;body=http%3A%2F%2Forigin.test%3A' in page
    assert "rule a at proxyd.conf:" in page and "127.0.0.5" in page
    assert ask(daemon, origin.url("/b")).body.decode() == "<p>rule's own: b"
    assert "<title>404 Not Found</title>" in ask(daemon, "/nothing").body.decode()
    assert 'class="upstream"' in ask(daemon, "http://nowhere.test/").body.decode()
    assert json.loads(ask(daemon, origin.url("/a"), "application/json").body)["cause"] == "rule_denied"


def test_a_wrong_page_leaves_the_old_one(proxyd, origin):
    daemon = start(proxyd, "error-page p.html;", {"p.html": "<p>first {{rule}}"})
    assert ask(daemon, origin.url("/a")).body == b"<p>first a"
    text = config("error-page p.html;")
    for page, said in (("x\n{{rul}}", "p.html:2:3: error: no value of a page is called 'rul'"),
                       ("x" * 65537, "longer than 64 kB"), (None, "No such file"), ("", "it is empty")):
        path = daemon.folder / "p.html"
        path.unlink(missing_ok=True)
        if page is not None:
            path.write_text(page)
        daemon.reload(text, refused=True)
        assert until(lambda: said in daemon.stderr()), said
        assert ask(daemon, origin.url("/a")).body == b"<p>first a"
    path.write_text("<p>second {{rule}}")
    daemon.reload(text)
    assert ask(daemon, origin.url("/a")).body == b"<p>second a"


@pytest.mark.parametrize("page,said", [("<p>{{rul}}", 'p.html:1:6: error: no value'), ("<script>'{{url}}'", "in a script")])
def test_check_tells_it(tmp_path, page, said):
    (tmp_path / "p.html").write_text(page)
    (tmp_path / "c.conf").write_text("listener m { bind 127.0.0.1:1; mode forward; policy p; }\n"
                                     "policy p { default deny; rules { deny x { page p.html; } } }\n")
    done = run_command("check", "-c", str(tmp_path / "c.conf"))
    assert done.returncode == 1 and said in done.stderr and "c.conf:2:48" in done.stderr


def test_explain_shows_it(proxyd, origin):
    """As it would be, but for what only a request that was made has."""
    daemon = start(proxyd, "error-page p.html;", {"p.html": "<p>our {{rule}} {{method}}\n<p>{{id}}\n"})
    done = run_command("explain", "-c", str(daemon.folder / "proxyd.conf"), "--json", "--header", "Accept: text/html",
                       origin.url("/a"))
    assert "<p>our a GET" in json.loads(done.stdout)["answer"]["page"]
