//! How requests are answered that nobody has signed in for.

use super::app;

#[test]
fn faults_of_origins_and_preflights() {
    insta::assert_snapshot!(app(r#"
cors_preflight = "allow"
allowed_origins = ["*", "null", "https://*.example.com", "https://notes.example.com/page", "notes.example.com"]
"#), @r#"
    error: `cors_preflight` must be "refuse" or "forward"
     --> vestibule.toml:2:18
      |
    2 | cors_preflight = "allow"
      |                  ^^^^^^^

    error: `allowed_origins` cannot be "*"
     --> vestibule.toml:3:20
      |
    3 | allowed_origins = ["*", "null", "https://*.example.com", "https://notes.example.com/page", "notes.example.com"]
      |                    ^^^
      |
      = note: any page that a visitor looks at could talk to the app with the visitor's session
      = help: name each origin whose pages may

    error: `allowed_origins` cannot be "null"
     --> vestibule.toml:3:25
      |
    3 | allowed_origins = ["*", "null", "https://*.example.com", "https://notes.example.com/page", "notes.example.com"]
      |                         ^^^^^^
      |
      = note: it is what every sandboxed frame and every local file says of itself
      = help: name each origin whose pages may

    error: `allowed_origins` takes no `*`
     --> vestibule.toml:3:33
      |
    3 | allowed_origins = ["*", "null", "https://*.example.com", "https://notes.example.com/page", "notes.example.com"]
      |                                 ^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: name each origin whose pages may

    error: `allowed_origins` must end with the host or port, without a path
     --> vestibule.toml:3:58
      |
    3 | allowed_origins = ["*", "null", "https://*.example.com", "https://notes.example.com/page", "notes.example.com"]
      |                                                          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: write, for example, "https://notes.example.com"

    error: `allowed_origins` must be a URL that starts with https:// or http://
     --> vestibule.toml:3:92
      |
    3 | allowed_origins = ["*", "null", "https://*.example.com", "https://notes.example.com/page", "notes.example.com"]
      |                                                                                            ^^^^^^^^^^^^^^^^^^^
      |
      = help: write, for example, "https://notes.example.com"

    the configuration has 6 faults
    "#);
    insta::assert_snapshot!(app(r#"
allowed_origins = ["https://notes.example.com", "HTTPS://Notes.example.com:443"]
"#), @r#"
    error: `allowed_origins` must be a URL that starts with https:// or http://
     --> vestibule.toml:2:49
      |
    2 | allowed_origins = ["https://notes.example.com", "HTTPS://Notes.example.com:443"]
      |                                                 ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: write, for example, "https://notes.example.com"

    the configuration has 1 fault
    "#);
}

#[test]
fn faults_of_who_is_sent_to_sign_in() {
    insta::assert_snapshot!(app(r#"
[app.access]
policy = "anyone"

[[app.route]]
path = "/health"
access = "public"
on_anonymous = "unauthorized"
"#), @r#"
    error: `on_anonymous` means nothing on a route where everybody may pass
      --> vestibule.toml:11:16
       |
    11 | on_anonymous = "unauthorized"
       |                ^^^^^^^^^^^^^^
       |
       = help: remove it, or give the route another `access`

    the configuration has 1 fault
    "#);
}

#[test]
fn faults_of_an_app_without_a_way_to_it() {
    insta::assert_snapshot!(app(r#"
upstream = ""
"#), @r#"
    error: `upstream` is missing in `[[app]]`
     --> vestibule.toml:1:1
      |
    1 | [[app]]
      | ^^^^^^^
      |
      = note: without it only a proxy in front can make use of the app (forward-auth), and `server.trusted_proxies` names none
      = help: write, for example: upstream = "http://127.0.0.1:8080"

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(app(r#"
upstream = ""
upstream_tls = { server_name = "wiki.internal" }
"#), @r#"
    error: `upstream_tls` means nothing without `upstream`
     --> vestibule.toml:3:16
      |
    3 | upstream_tls = { server_name = "wiki.internal" }
      |                ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: write, for example: upstream = "https://127.0.0.1:8443"

    the configuration has 1 fault
    "#);
}

#[test]
fn what_does_nothing_behind_a_proxy_that_only_asks_is_a_fault() {
    insta::assert_snapshot!(app(r#"
upstream = ""
strip_path = true
preserve_host = false
cache = "as_is"
logout_paths = ["/logout"]
cors_preflight = "forward"
limits = { body_bytes = "1MiB" }
headers = { drop = ["X-Debug"], preset = "all" }
"#), @r#"
    error: `strip_path` means nothing without `upstream`
     --> vestibule.toml:3:14
      |
    3 | strip_path = true
      |              ^^^^
      |
      = note: the proxy in front decides which path the app gets
      = help: remove it and see to it in the proxy in front, or write `upstream`

    error: `preserve_host` means nothing without `upstream`
     --> vestibule.toml:4:17
      |
    4 | preserve_host = false
      |                 ^^^^^
      |
      = note: the proxy in front decides which Host the app gets
      = help: remove it and see to it in the proxy in front, or write `upstream`

    error: `cache` means nothing without `upstream`
     --> vestibule.toml:5:9
      |
    5 | cache = "as_is"
      |         ^^^^^^^
      |
      = note: the app's answers do not pass through us
      = help: remove it and see to it in the proxy in front, or write `upstream`

    error: `logout_paths` means nothing without `upstream`
     --> vestibule.toml:6:16
      |
    6 | logout_paths = ["/logout"]
      |                ^^^^^^^^^^^
      |
      = note: the app's answers do not pass through us, so nobody here sees a sign-out of its own succeed
      = help: remove it and see to it in the proxy in front, or write `upstream`

    error: `cors_preflight` = "forward" means nothing without `upstream`
     --> vestibule.toml:7:18
      |
    7 | cors_preflight = "forward"
      |                  ^^^^^^^^^
      |
      = note: the proxy's question carries no body, so nobody can tell a preflight from a request that hides one
      = help: remove it, and let the proxy in front answer preflights without asking

    error: `limits.body_bytes` means nothing without `upstream`
     --> vestibule.toml:8:25
      |
    8 | limits = { body_bytes = "1MiB" }
      |                         ^^^^^^
      |
      = note: the bodies of requests do not pass through us
      = help: remove it and see to it in the proxy in front, or write `upstream`

    error: `headers.drop` means nothing without `upstream`
     --> vestibule.toml:9:20
      |
    9 | headers = { drop = ["X-Debug"], preset = "all" }
      |                    ^^^^^^^^^^^
      |
      = note: the proxy in front hands the request on, with whatever the visitor sent
      = help: remove it and see to it in the proxy in front, or write `upstream`

    error: `preset` must be "forwarded" or "auth_request" or "remote" or "none"
     --> vestibule.toml:9:42
      |
    9 | headers = { drop = ["X-Debug"], preset = "all" }
      |                                          ^^^^^

    the configuration has 8 faults
    "#);
}
