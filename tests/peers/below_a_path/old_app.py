"""An app as they were written when one server was one app, on Python's wsgiref, at ADDRESS PORT.

It makes absolute links and redirects out of `Host` and of what it takes for its own path (`SCRIPT_NAME`, PEP 3333):
the third argument where it has been told at its installation, `X-Forwarded-Prefix` where that is "told", and nothing
where that is "ignorant". What it prints is what it was asked.
"""

import sys
from wsgiref.simple_server import WSGIRequestHandler, make_server
from wsgiref.util import application_uri

address, port, knows = sys.argv[1:]


def app(environ, start_response):
    path = environ["PATH_INFO"]
    print("asked", environ["REQUEST_METHOD"], path, flush=True)
    own = {"told": environ.get("HTTP_X_FORWARDED_PREFIX", ""), "ignorant": ""}.get(knows, knows)
    if knows == own and not path.startswith(own + "/"):
        start_response("404 Not Found", [])
        return [b"not below " + own.encode()]
    environ["SCRIPT_NAME"] = own
    path = path.removeprefix(own) if knows == own else path
    here = application_uri(environ).rstrip("/")

    def leads_to(status, place):
        start_response(status, [("Location", here + place), ("Set-Cookie", "seen=1; Path=" + (own or "/"))])
        return [b""]

    if path == "/":
        return leads_to("302 Found", "/pages/start")
    if path == "/notes" and environ["REQUEST_METHOD"] == "POST":
        return leads_to("303 See Other", "/notes/1")
    if path == "/later":
        start_response("200 OK", [("Refresh", "0; url=" + here + "/pages/start"), ("Content-Location", here + path)])
        return [b"in a moment"]
    if path in ("/pages/start", "/pages/next", "/notes/1"):
        # Who does not know where it lives has to say it from page to page.
        links = [".." if knows == "ignorant" else here] * 3
        start_response("200 OK", [("Content-Type", "text/html; charset=utf-8")])
        page = '<h1>%s</h1><a href="%s/pages/next">on</a><a href="%s/">up</a><form method="post" action="%s/notes">'
        return [(page % (path, *links)).encode()]
    start_response("404 Not Found", [])
    return [b"no such page"]


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass


with make_server(address, int(port), app, handler_class=Quiet) as server:
    print("listening", flush=True)
    server.serve_forever()
