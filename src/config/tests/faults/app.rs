//! `[[app]]`, apart from who may enter.

use super::{app, whole};

#[test]
fn faults_of_names_and_hosts_of_apps() {
    insta::assert_snapshot!(whole(r#"
[[provider]]
id = "a"
issuer = "https://id.example.com"
client_id = "x"
"#), @r#"
    error: there is no `[[app]]` in `vestibule.toml`
     |
     = note: there would be nothing to stand in front of
     = help: write, for example:

             [[app]]
             id = "wiki"
             public_url = "https://wiki.example.com"
             upstream = "http://127.0.0.1:8080"

             [app.access]
             policy = "listed"
             allow = [{ email_domain = "example.com" }]

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(app(r#"
name = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
"#), @r#"
    error: `name` must have at most 64 characters
     --> vestibule.toml:2:8
      |
    2 | name = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
      |        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(app(r#"
public_url = "http://wiki.example.com"
"#), @r#"
    error: `public_url` must start with https://
     --> vestibule.toml:2:14
      |
    2 | public_url = "http://wiki.example.com"
      |              ^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = note: over plain http, whoever sees the traffic takes over every session
      = help: loopback hosts may use http; elsewhere only with insecure_http = true beside it

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(app(r#"
public_url = "https:/example.com"
"#), @r#"
    error: `public_url` must be a URL that starts with https:// or http://
     --> vestibule.toml:2:14
      |
    2 | public_url = "https:/example.com"
      |              ^^^^^^^^^^^^^^^^^^^^

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(app(r#"
hosts = ["*.*.example.com", "docs.example.com:443", "https://x"]
"#), @r#"
    error: `hosts` must have a host name after `*.`
     --> vestibule.toml:2:10
      |
    2 | hosts = ["*.*.example.com", "docs.example.com:443", "https://x"]
      |          ^^^^^^^^^^^^^^^^^
      |
      = help: write, for example, "*.review.example.com"

    error: `hosts` must be a host without a port
     --> vestibule.toml:2:29
      |
    2 | hosts = ["*.*.example.com", "docs.example.com:443", "https://x"]
      |                             ^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: ports are ignored when an app is looked up

    error: `hosts` must be a host name or an address
     --> vestibule.toml:2:53
      |
    2 | hosts = ["*.*.example.com", "docs.example.com:443", "https://x"]
      |                                                     ^^^^^^^^^^^
      |
      = help: write, for example, "wiki.example.com"

    the configuration has 3 faults
    "#);
    insta::assert_snapshot!(app(r#"
hosts = ["wiki.example.com"]
"#), @r#"
    error: the host `wiki.example.com` is given twice
     --> vestibule.toml:2:10
      |
    2 | hosts = ["wiki.example.com"]
      |          ^^^^^^^^^^^^^^^^^^
    3 | id = "wiki"
    4 | public_url = "https://wiki.example.com"
      |              -------------------------- it is given here as well

    the configuration has 1 fault
    "#);
}

#[test]
fn faults_of_where_an_upstream_is() {
    insta::assert_snapshot!(whole(r#"
[[provider]]
id = "a"
issuer = "https://id.example.com"
client_id = "x"

[[app]]
id = "wiki"
public_url = "https://wiki.example.com"
access = { policy = "anyone" }
"#), @r#"
    error: `upstream` is missing in `[[app]]`
     --> vestibule.toml:6:1
      |
    6 | [[app]]
      | ^^^^^^^
      |
      = note: without it only a proxy in front can make use of the app (forward-auth), and `server.trusted_proxies` names none
      = help: write, for example: upstream = "http://127.0.0.1:8080"

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(app(r#"
upstream = "http://127.0.0.1:8080/wiki"
"#), @r#"
    error: `upstream` must end with the host or port, without a path
     --> vestibule.toml:2:12
      |
    2 | upstream = "http://127.0.0.1:8080/wiki"
      |            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(app(r#"
upstream = "127.0.0.1:8080"
"#), @r#"
    error: `upstream` must start with http://, https://, h2c:// or unix:/
     --> vestibule.toml:2:12
      |
    2 | upstream = "127.0.0.1:8080"
      |            ^^^^^^^^^^^^^^^^

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(app(r#"
upstream = "h2c://127.0.0.1:50051/wiki"
"#), @r#"
    error: `upstream` must end with the host or port, without a path
     --> vestibule.toml:2:12
      |
    2 | upstream = "h2c://127.0.0.1:50051/wiki"
      |            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(app(r#"
upstream = "unix:run/wiki.sock"
"#), @r#"
    error: `upstream` must have the absolute path of a socket after `unix:`
     --> vestibule.toml:2:12
      |
    2 | upstream = "unix:run/wiki.sock"
      |            ^^^^^^^^^^^^^^^^^^^^
      |
      = help: write, for example, "unix:/run/wiki.sock"

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(app(r#"
upstream = "unix:/run/wiki.sock?mode=0660"
"#), @r#"
    error: `upstream` takes no options after the path of a socket
     --> vestibule.toml:2:12
      |
    2 | upstream = "unix:/run/wiki.sock?mode=0660"
      |            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: write, for example, "unix:/run/wiki.sock"

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(app(r#"
upstream = "unix:/run/a-folder-with-a-name-that-nobody-would-type-twice/and-another-one-below-it-as-long/the-app-of-the-team.sock"
"#), @r#"
    error: `upstream` is a path longer than a socket can have, 107 bytes
     --> vestibule.toml:2:12
      |
    2 | upstream = "unix:/run/a-folder-with-a-name-that-nobody-would-type-twice/and-another-one-below-it-as-long/the-app-of-the-team.sock"
      |            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(app(r#"
upstream = "http://localhost:4180"
"#), @r#"
    error: `upstream` is an address where Vestibule itself listens
     --> vestibule.toml:2:12
      |
    2 | upstream = "http://localhost:4180"
      |            ^^^^^^^^^^^^^^^^^^^^^^^
      |
      = note: each request would come back until none can be served

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(app(r#"
upstream_tls = { ca_file = "" }
"#), @r#"
    error: `upstream_tls` means nothing for an upstream without TLS
     --> vestibule.toml:2:16
      |
    2 | upstream_tls = { ca_file = "" }
      |                ^^^^^^^^^^^^^^^^
    ...
    5 | upstream = "http://127.0.0.1:8080"
      |            ----------------------- this is not https

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(app(r#"
upstream = "https://127.0.0.1:8443"
upstream_tls = { server_name = "wiki internal", certificate = "tls.crt", insecure_skip_verify = "yes" }
"#), @r#"
    error: `private_key` is missing
     --> vestibule.toml:3:16
      |
    3 | upstream_tls = { server_name = "wiki internal", certificate = "tls.crt", insecure_skip_verify = "yes" }
      |                ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: TLS needs `certificate` and `private_key`, both PEM files

    error: `server_name` must be a host name or an address, as the upstream's certificate has it
     --> vestibule.toml:3:32
      |
    3 | upstream_tls = { server_name = "wiki internal", certificate = "tls.crt", insecure_skip_verify = "yes" }
      |                                ^^^^^^^^^^^^^^^
      |
      = help: write, for example, "wiki.internal"

    error: cannot read the file of `certificate`: there is no such file
     --> vestibule.toml:3:63
      |
    3 | upstream_tls = { server_name = "wiki internal", certificate = "tls.crt", insecure_skip_verify = "yes" }
      |                                                               ^^^^^^^^^ read as `tls.crt`

    error: `insecure_skip_verify` must be true or false, without quotes, not a string
     --> vestibule.toml:3:97
      |
    3 | upstream_tls = { server_name = "wiki internal", certificate = "tls.crt", insecure_skip_verify = "yes" }
      |                                                                                                 ^^^^^

    the configuration has 4 faults
    "#);
}

#[test]
fn faults_of_which_providers_an_app_has() {
    insta::assert_snapshot!(whole(r#"
provider = [
  { id = "a", issuer = "https://a.example", client_id = "x" },
  { id = "b", issuer = "https://b.example", client_id = "x", trust_email = "never" },
]
[[app]]
id = "wiki"
public_url = "https://wiki.example.com"
upstream = "http://127.0.0.1:1"
access = { policy = "anyone" }
"#), @r#"
    error: `providers` must say who signs people in to this app
     --> vestibule.toml:5:1
      |
    5 | [[app]]
      | ^^^^^^^
      |
      = note: there are several providers, and a session counts only where its provider is listed
      = help: write one or more of: providers = ["a", "b"]

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(whole(r#"
provider = [
  { id = "a", issuer = "https://a.example", client_id = "x" },
  { id = "b", issuer = "https://b.example", client_id = "x", trust_email = "never" },
]
[[app]]
id = "wiki"
public_url = "https://wiki.example.com"
upstream = "http://127.0.0.1:1"
providers = ["a", "c"]
access = { policy = "anyone" }
"#), @r#"
    error: `providers` names "c", and there is no such provider
     --> vestibule.toml:9:19
      |
    9 | providers = ["a", "c"]
      |                   ^^^
      |
      = help: the providers here are "a", "b"

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(whole(r#"
provider = [
  { id = "a", issuer = "https://a.example", client_id = "x" },
  { id = "b", issuer = "https://b.example", client_id = "x", trust_email = "never" },
]
[[app]]
id = "wiki"
public_url = "https://wiki.example.com"
upstream = "http://127.0.0.1:1"
providers = ["a"]
[app.access]
policy = "listed"
allow = [{ group = "x", provider = "b" }]
"#), @r#"
    error: the provider "b" is not one of this app's `providers`
      --> vestibule.toml:12:36
       |
    12 | allow = [{ group = "x", provider = "b" }]
       |                                    ^^^
       |
       = note: nobody signs in to this app through it, so the condition could never hold

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(whole(r#"
provider = [
  { id = "a", issuer = "https://a.example", client_id = "x" },
  { id = "b", issuer = "https://b.example", client_id = "x", trust_email = "never" },
]
[[app]]
id = "wiki"
public_url = "https://wiki.example.com"
upstream = "http://127.0.0.1:1"
providers = ["a", "b"]
[app.access]
policy = "listed"
allow = [{ group = "x" }]
"#), @r#"
    error: a condition on groups or claims must name its `provider` here
      --> vestibule.toml:12:20
       |
    12 | allow = [{ group = "x" }]
       |                    ^^^
       |
       = note: this app has several providers, and each gives out its names as it likes
       = help: add provider = "…" to the condition

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(whole(r#"
provider = [
  { id = "a", issuer = "https://a.example", client_id = "x" },
  { id = "b", issuer = "https://b.example", client_id = "x", trust_email = "never" },
]
[[app]]
id = "wiki"
public_url = "https://wiki.example.com"
upstream = "http://127.0.0.1:1"
providers = ["b"]
[app.access]
policy = "listed"
allow = [{ email_domain = "example.com" }]
"#), @r#"
    error: this condition can never hold: the provider has trust_email = "never"
      --> vestibule.toml:12:27
       |
    12 | allow = [{ email_domain = "example.com" }]
       |                           ^^^^^^^^^^^^^
       |
       = help: use a group or a claim, or change trust_email

    the configuration has 1 fault
    "#);
}

#[test]
fn faults_of_what_an_app_may_be_sent() {
    insta::assert_snapshot!(app(r#"
[app.limits]
body_bytes = 1000000
connect = "0s"
first_byte = "1ms"
idle = 3600
"#), @r#"
    error: `body_bytes` needs a unit
     --> vestibule.toml:7:14
      |
    7 | body_bytes = 1000000
      |              ^^^^^^^
      |
      = help: write, for example, "64KiB" or "10MiB"

    error: `connect` must be from 100ms to 10m
     --> vestibule.toml:8:11
      |
    8 | connect = "0s"
      |           ^^^^

    error: `first_byte` must be from 100ms to 7d
     --> vestibule.toml:9:14
      |
    9 | first_byte = "1ms"
      |              ^^^^^

    error: `idle` needs a unit
      --> vestibule.toml:10:8
       |
    10 | idle = 3600
       |        ^^^^
       |
       = help: write, for example, "30s" or "5m"

    the configuration has 4 faults
    "#);
    insta::assert_snapshot!(app(r#"
limits = { body_byte = "1MiB", connect = "1h" }
"#), @r#"
    error: unknown key `body_byte` in `[app.limits]`
     --> vestibule.toml:2:12
      |
    2 | limits = { body_byte = "1MiB", connect = "1h" }
      |            ^^^^^^^^^ did you mean `body_bytes`?

    error: `connect` must be from 100ms to 10m
     --> vestibule.toml:2:42
      |
    2 | limits = { body_byte = "1MiB", connect = "1h" }
      |                                          ^^^^

    the configuration has 2 faults
    "#);
    insta::assert_snapshot!(app(r"
limits = 5
"), @r"
    error: `limits` must be a table: `[app.limits]`, not a number
     --> vestibule.toml:2:10
      |
    2 | limits = 5
      |          ^

    the configuration has 1 fault
    ");
}

#[test]
fn faults_of_urls_that_two_readers_could_read_in_two_ways() {
    insta::assert_snapshot!(app(r#"
public_url = "https://wiki.example.com\\@evil.example"
"#), @r#"
    error: `public_url` must be a URL without spaces, backslashes and control characters
     --> vestibule.toml:2:14
      |
    2 | public_url = "https://******************@evil.example"
      |              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(app(r#"
public_url = "https://me:secret@wiki.example.com"
"#), @r#"
    error: `public_url` must not hold a user name or password
     --> vestibule.toml:2:14
      |
    2 | public_url = "https://*********@wiki.example.com"
      |              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(app(r#"
public_url = "https://wiki.example.com."
"#), @r#"
    error: `public_url` must name a host, without a dot at its end
     --> vestibule.toml:2:14
      |
    2 | public_url = "https://wiki.example.com."
      |              ^^^^^^^^^^^^^^^^^^^^^^^^^^^

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(app(r#"
public_url = "https://wiki.example.com:99999"
"#), @r#"
    error: `public_url` is no URL: invalid port number
     --> vestibule.toml:2:14
      |
    2 | public_url = "https://wiki.example.com:99999"
      |              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(app(r#"
upstream = "https://-wiki.internal"
"#), @r#"
    error: TLS cannot ask for the host of `upstream`: invalid dns name
     --> vestibule.toml:2:12
      |
    2 | upstream = "https://-wiki.internal"
      |            ^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: name what its certificate is for: upstream_tls = { server_name = "…" }

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(app(r#"
[app.tls]
certificate = ""
"#), @r#"
    error: `private_key` is missing
     --> vestibule.toml:6:1
      |
    6 | [app.tls]
      | ^^^^^^^^^
      |
      = help: TLS needs `certificate` and `private_key`, both PEM files

    error: `certificate` is missing
     --> vestibule.toml:7:15
      |
    7 | certificate = ""
      |               ^^
      |
      = help: TLS needs `certificate` and `private_key`, both PEM files

    the configuration has 2 faults
    "#);
}
