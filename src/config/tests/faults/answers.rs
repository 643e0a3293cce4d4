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
