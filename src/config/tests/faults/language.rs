//! What is wrong with any key: spelling, kind, version, environment.

use super::{app, provider, whole, with};

#[test]
fn a_file_that_is_not_toml_gets_all_its_syntax_faults_and_no_others() {
    insta::assert_snapshot!(whole(r#"
[server]
workers = two
prefix = "/x
listen = [1 2]
"#), @r#"
    error: this is not TOML: invalid boolean, expected `true`
     --> vestibule.toml:2:11
      |
    2 | workers = two
      |           ^^^

    error: this is not TOML: invalid basic string, expected `"`
     --> vestibule.toml:3:13
      |
    3 | prefix = "/x
      |             ^

    error: this is not TOML: string values must be quoted, expected literal string
     --> vestibule.toml:4:11
      |
    4 | listen = [1 2]
      |           ^^^

    the configuration has 3 faults
    "#);
    insta::assert_snapshot!(whole(r"
[server]
workers = 1
workers = 2
"), @r"
    error: this is not TOML: duplicate key
     --> vestibule.toml:3:1
      |
    3 | workers = 2
      | ^^^^^^^
      |
      = help: it is set above as well: keep one of the two

    the configuration has 1 fault
    ");
}

#[test]
fn a_file_that_says_nothing_is_shown_what_to_say() {
    insta::assert_snapshot!(whole(""), @r#"
    error: there is no `[[provider]]` in `vestibule.toml`
     |
     = note: nobody could sign in
     = help: write, for example:

             [[provider]]
             id = "company"
             issuer = "https://id.example.com"
             client_id = "wiki"
             client_secret_file = "client-secret"

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

    the configuration has 2 faults
    "#);
}

#[test]
fn an_unknown_key_comes_with_the_one_that_was_meant() {
    insta::assert_snapshot!(with(r"
[server]
lisen = []
"), @r"
    error: unknown key `lisen` in `[server]`
     --> vestibule.toml:2:1
      |
    2 | lisen = []
      | ^^^^^ did you mean `listen`?

    the configuration has 1 fault
    ");
    insta::assert_snapshot!(with(r#"
[server]
colour = "red"
"#), @r#"
    error: unknown key `colour` in `[server]`
     --> vestibule.toml:2:1
      |
    2 | colour = "red"
      | ^^^^^^
      |
      = help: the keys here are `drain_delay`, `drain_timeout`, `health_path`, `limits`, `listen`, `ops_listen`, `prefix`, `proxy_protocol`, `tls`, `trusted_proxies`, `workers`

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(with(r#"
[server]
policy = "anyone"
"#), @r#"
    error: unknown key `policy` in `[server]`
     --> vestibule.toml:2:1
      |
    2 | policy = "anyone"
      | ^^^^^^ this is a key of `[app.access]`

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(with(r#"
[logs]
level = "info"
"#), @r"
    error: unknown key `logs` at the top level
     --> vestibule.toml:1:2
      |
    1 | [logs]
      |  ^^^^ did you mean `log`?

    the configuration has 1 fault
    ");
    insta::assert_snapshot!(app(r#"
acess = { policy = "anyone" }
[app.access]
policy = "listed"
allow = [{ emial = "a@b.c" }]
"#), @r#"
    error: unknown key `acess` in `[[app]]`
     --> vestibule.toml:2:1
      |
    2 | acess = { policy = "anyone" }
      | ^^^^^ did you mean `access`?

    error: unknown key `emial` in a condition
     --> vestibule.toml:8:12
      |
    8 | allow = [{ emial = "a@b.c" }]
      |            ^^^^^ did you mean `email`?

    the configuration has 2 faults
    "#);
}

#[test]
fn a_misspelt_key_of_a_later_version_is_recognised() {
    insta::assert_snapshot!(with(
        r#"
[server]
admin_scoket = "auto"
"#
    ), @r#"
    error: unknown key `admin_scoket` in `[server]`
     --> vestibule.toml:2:1
      |
    2 | admin_scoket = "auto"
      | ^^^^^^^^^^^^ did you mean `admin_socket`? It is not in this version

    the configuration has 1 fault
    "#);
}

#[test]
fn a_key_of_a_later_version_is_not_called_unknown() {
    insta::assert_snapshot!(with(r#"
[server]
admin_socket = "auto"
"#), @r#"
    error: `admin_socket` is not in this version
     --> vestibule.toml:2:1
      |
    2 | admin_socket = "auto"
      | ^^^^^^^^^^^^
      |
      = help: remove it; what it is for comes with a later version

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(with(r#"
[mail]
from = "x"
"#), @r"
    error: `[mail]` is not in this version
     --> vestibule.toml:1:1
      |
    1 | [mail]
      | ^^^^^^
      |
      = help: remove it; what it is for comes with a later version

    the configuration has 1 fault
    ");
    insta::assert_snapshot!(app(r#"
[app.sign_in]
title = "{app}"
[app.access]
policy = "anyone"
"#), @r"
    error: `[app.sign_in]` is not in this version
     --> vestibule.toml:5:1
      |
    5 | [app.sign_in]
      | ^^^^^^^^^^^^^
      |
      = help: remove it; what it is for comes with a later version

    the configuration has 1 fault
    ");
    insta::assert_snapshot!(provider(r#"
claims = { given_name = "x" }
"#), @r#"
    error: `given_name` is not in this version
     --> vestibule.toml:2:12
      |
    2 | claims = { given_name = "x" }
      |            ^^^^^^^^^^
      |
      = help: remove it; what it is for comes with a later version

    the configuration has 1 fault
    "#);
}

#[test]
fn a_value_of_another_kind_says_what_is_needed() {
    insta::assert_snapshot!(with(r"
server = 1
"), @r"
    error: `server` must be a table: `[server]`, not a number
     --> vestibule.toml:1:10
      |
    1 | server = 1
      |          ^

    the configuration has 1 fault
    ");
    insta::assert_snapshot!(with(r#"
[server]
listen = "127.0.0.1:1"
"#), @r#"
    error: `listen` must be a list of strings, not a string
     --> vestibule.toml:2:10
      |
    2 | listen = "127.0.0.1:1"
      |          ^^^^^^^^^^^^^

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(with(r"
[server]
listen = [1]
"), @r"
    error: `listen` must be a string, not a number
     --> vestibule.toml:2:11
      |
    2 | listen = [1]
      |           ^

    the configuration has 1 fault
    ");
    insta::assert_snapshot!(with(r#"
[server]
workers = "2"
"#), @r#"
    error: `workers` must be a whole number, not a string
     --> vestibule.toml:2:11
      |
    2 | workers = "2"
      |           ^^^

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(with(r"
[server]
workers = 2000
"), @r"
    error: `workers` must be a number from 0 to 1024
     --> vestibule.toml:2:11
      |
    2 | workers = 2000
      |           ^^^^

    the configuration has 1 fault
    ");
    insta::assert_snapshot!(with(r"
[server]
workers = 99999999999999999999
"), @r"
    error: `workers` must be a whole number, not a number beyond 64 bits
     --> vestibule.toml:2:11
      |
    2 | workers = 99999999999999999999
      |           ^^^^^^^^^^^^^^^^^^^^

    the configuration has 1 fault
    ");
    insta::assert_snapshot!(with(r"
[server]
drain_delay = 5
"), @r#"
    error: `drain_delay` needs a unit
     --> vestibule.toml:2:15
      |
    2 | drain_delay = 5
      |               ^
      |
      = help: write, for example, "30s" or "5m"

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(with(r#"
[server]
drain_delay = "5 seconds"
"#), @r#"
    error: `drain_delay` must be a time: a number with ms, s, m, h or d
     --> vestibule.toml:2:15
      |
    2 | drain_delay = "5 seconds"
      |               ^^^^^^^^^^^
      |
      = help: write, for example, "30s" or "5m"

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(with(r#"
[server]
drain_delay = "2h"
"#), @r#"
    error: `drain_delay` must be from 0s to 1h
     --> vestibule.toml:2:15
      |
    2 | drain_delay = "2h"
      |               ^^^^

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(with(r#"
[log]
access = "yes"
"#), @r#"
    error: `access` must be true or false, without quotes, not a string
     --> vestibule.toml:2:10
      |
    2 | access = "yes"
      |          ^^^^^

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(whole(r#"
[provider]
id = "a"
[app]
id = "b"
"#), @r"
    error: `provider` must be a list of tables: write `[[provider]]` for each, not a table
     --> vestibule.toml:1:1
      |
    1 | [provider]
      | ^^^^^^^^^^

    error: `app` must be a list of tables: write `[[app]]` for each, not a table
     --> vestibule.toml:3:1
      |
    3 | [app]
      | ^^^^^

    the configuration has 2 faults
    ");
    insta::assert_snapshot!(app(r#"
[app.access]
policy = "listed"
allow = { email = "a@b.c" }
"#), @r#"
    error: `allow` must be a list of conditions, each in braces, not a table
     --> vestibule.toml:7:9
      |
    7 | allow = { email = "a@b.c" }
      |         ^^^^^^^^^^^^^^^^^^^

    the configuration has 1 fault
    "#);
}

#[test]
fn what_the_environment_does_not_have_is_named() {
    insta::assert_snapshot!(app(r#"
upstream = "http://${UPSTREAM_HOST}"
"#), @r#"
    error: the environment variable `UPSTREAM_HOST` is not set
     --> vestibule.toml:2:12
      |
    2 | upstream = "http://${UPSTREAM_HOST}"
      |            ^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: set it, or write a default: `${UPSTREAM_HOST:-default}`

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(app(r#"
upstream = "http://${UPSTREAM_HOST"
"#), @r#"
    error: `${` without its `}`
     --> vestibule.toml:2:12
      |
    2 | upstream = "http://${UPSTREAM_HOST"
      |            ^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: a literal `${` is written `$${`

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(app(r#"
upstream = "http://${UPSTREAM-HOST}"
"#), @r#"
    error: `UPSTREAM-HOST` is no name of an environment variable
     --> vestibule.toml:2:12
      |
    2 | upstream = "http://${UPSTREAM-HOST}"
      |            ^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: a name has letters, digits and `_`; a literal `${` is written `$${`

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(app(r#"
upstream = "${WORD}:${PORT}"
"#), @r#"
    error: `upstream` must start with http://, https://, h2c:// or unix:/
     --> vestibule.toml:2:12
      |
    2 | upstream = "${WORD}:${PORT}"
      |            ^^^^^^^^^^^^^^^^^ with the environment filled in: `word:4444`

    the configuration has 1 fault
    "#);
}

#[test]
fn no_fault_follows_from_another() {
    insta::assert_snapshot!(whole(r#"
[[provder]]
id = "a"
[[ap]]
id = "b"
"#), @r"
    error: unknown key `provder` at the top level
     --> vestibule.toml:1:3
      |
    1 | [[provder]]
      |   ^^^^^^^ did you mean `provider`?

    error: unknown key `ap` at the top level
     --> vestibule.toml:3:3
      |
    3 | [[ap]]
      |   ^^ did you mean `app`?

    the configuration has 2 faults
    ");
    insta::assert_snapshot!(whole(r#"
[[provider]]
id = "a"
isuer = "https://id.example.com"
client_id = "x"
client_secert = "x"
client_auth = "client_secret_post"

[[app]]
id = "wiki"
public_url = "https://wiki.example.com"
upstream = "http://127.0.0.1:1"

[app.acess]
policy = "listed"
"#), @r#"
    error: unknown key `isuer` in `[[provider]]`
     --> vestibule.toml:3:1
      |
    3 | isuer = "https://id.example.com"
      | ^^^^^ did you mean `issuer`?

    error: unknown key `client_secert` in `[[provider]]`
     --> vestibule.toml:5:1
      |
    5 | client_secert = ***
      | ^^^^^^^^^^^^^ did you mean `client_secret`?

    error: unknown key `acess` in `[[app]]`
      --> vestibule.toml:13:6
       |
    13 | [app.acess]
       |      ^^^^^ did you mean `access`?

    the configuration has 3 faults
    "#);
    insta::assert_snapshot!(app(r#"
[app.access]
policy = "listed"
alow = [{ email = "a@b.c" }]
"#), @r#"
    error: unknown key `alow` in `[app.access]`
     --> vestibule.toml:7:1
      |
    7 | alow = [{ email = "a@b.c" }]
      | ^^^^ did you mean `allow`?

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(whole(r#"
[[provider]]
id = "A"
issuer = "https://id.example.com"
client_id = "x"

[[app]]
id = "wiki"
public_url = "https://wiki.example.com"
upstream = "http://127.0.0.1:1"
providers = ["A"]
access = { policy = "listed", allow = [{ group = "x", provider = "A" }] }
"#), @r#"
    error: `id` must be 1 to 64 characters of a-z, 0-9 and -
     --> vestibule.toml:2:6
      |
    2 | id = "A"
      |      ^^^

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(whole(r#"
provider = [
  { id = "a", issuer = "https://a.example", client_id = "x" },
  { id = "b", issuer = "https://b.example", client_id = "x", trust_email = "nevr" },
]
[[app]]
id = "wiki"
public_url = "https://wiki.example.com"
upstream = "http://127.0.0.1:1"
providers = ["b"]
[app.access]
policy = "listed"
allow = [{ emil = "x" }, { email = "a@b.c" }]
"#), @r#"
    error: `trust_email` must be "verified" or "always" or "never"
     --> vestibule.toml:3:76
      |
    3 |   { id = "b", issuer = "https://b.example", client_id = "x", trust_email = "nevr" },
      |                                                                            ^^^^^^

    error: unknown key `emil` in a condition
      --> vestibule.toml:12:12
       |
    12 | allow = [{ emil = "x" }, { email = "a@b.c" }]
       |            ^^^^ did you mean `email`?

    the configuration has 2 faults
    "#);
}
