"""Configurations for tests: the smallest that works, with the places that tests vary.

forward() and reverse() give text with {port} placeholders that Proxyd.start fills.
"""

#: Every name the tests use for 127.0.0.1 without asking a resolver.
HOSTS = """\
127.0.0.1 origin.test www.origin.test other.test localhost
::1 six.test
127.0.0.1 dual.test
::1 dual.test
"""

CLASSES = "loopback private link-local metadata multicast reserved"

#: Allows everything to loopback clients, this machine included; names the class of each address.
OPEN_RULES = f"allow all {{ to *; reach {CLASSES}; }}"


def policy(rules=OPEN_RULES, name="open", clients="127.0.0.0/8 ::1", default="deny",
           ports="connect-ports any; http-ports any;", extra=""):
    return f"""\
policy {name} {{
  clients {clients};
  {ports}
  default {default};
  {extra}
  rules {{
    {rules}
  }}
}}
"""


def forward(rules=OPEN_RULES, extra="", listener="", workers=2, dns=None, log="to stdout",
            policy_text=None, **policy_args):
    """A forward listener on {port}. `extra` is top-level text, `listener` goes into the listener.

    Without `dns` names come from the file `hosts` beside the configuration (conf.HOSTS, written by
    the proxyd fixture) and every look-up beyond it fails at once: the resolver's port is dead.
    """
    if dns is None:
        dns = "server 127.0.0.1:{dead_port}; hosts hosts; timeout 1s;"
    logging = f"log access {{ {log}; }}" if log else ""
    return f"""\
workers {workers};
{logging}
dns {{ {dns} }}
{extra}
listener main {{ bind 127.0.0.1:{{port}}; mode forward; policy open; {listener} }}
{policy_text or policy(rules, **policy_args)}
"""


def reverse(server, extra="", listener="", workers=2, log="to stdout",
            routes="route all { to pool back; }", pool_extra=""):
    """A reverse listener on {port} before one plain server ("127.0.0.1:8080")."""
    logging = f"log access {{ {log}; }}" if log else ""
    return f"""\
workers {workers};
{logging}
{extra}
listener edge {{ bind 127.0.0.1:{{port}}; mode reverse; routes web; {listener} }}
routes web {{ {routes} }}
pool back {{ server {server}; {pool_extra} }}
"""
