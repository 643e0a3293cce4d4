//! One faulty file a fault, with what its author gets to see.

use super::parse;

const PROVIDER: [(&str, &str); 3] =
    [("id", "\"company\""), ("issuer", "\"https://id.example.com\""), ("client_id", "\"wiki\"")];

const APP: [(&str, &str); 4] = [
    ("id", "\"wiki\""),
    ("public_url", "\"https://wiki.example.com\""),
    ("upstream", "\"http://127.0.0.1:8080\""),
    ("access", "{ policy = \"anyone\" }"),
];

/// A table that says what `keys` says and has everything else that it needs.
fn table(header: &str, keys: &str, needed: &[(&str, &str)]) -> String {
    let is_set = |key: &str| {
        keys.lines().any(|line| line.starts_with(&format!("{key} = ")) || line == format!("[{header}.{key}]"))
    };
    let missing = needed.iter().filter(|(key, _)| !is_set(key)).map(|(key, value)| format!("{key} = {value}\n"));
    // What is in question comes first, unless it begins a table of its own.
    let (keys, tables) = keys.find("\n[").map_or((keys, ""), |at| keys.split_at(at + 1));
    format!("[[{header}]]{keys}{}{tables}\n", missing.collect::<String>())
}

/// The faults of a whole file.
fn whole(text: &str) -> String {
    let text = text.strip_prefix('\n').unwrap_or(text);
    parse(text).expect_err("the file is faulty").to_string()
}

/// The faults of something in front of a provider and an app that have none.
fn with(text: &str) -> String {
    whole(&format!("{text}\n{}{}", table("provider", "\n", &PROVIDER), table("app", "\n", &APP)))
}

/// The faults of keys of the only provider.
fn provider(keys: &str) -> String {
    whole(&format!("{}{}", table("provider", keys, &PROVIDER), table("app", "\n", &APP)))
}

/// The faults of keys of the only app.
fn app(keys: &str) -> String {
    whole(&format!("{}{}", table("app", keys, &APP), table("provider", "\n", &PROVIDER)))
}

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
             policy = "anyone"

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
      = help: the keys here are `drain_delay`, `drain_timeout`, `limits`, `listen`, `ops_listen`, `prefix`, `tls`, `trusted_proxies`, `workers`

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
[app.headers]
preset = "remote"
[app.access]
policy = "anyone"
"#), @r"
    error: `[app.headers]` is not in this version
     --> vestibule.toml:5:1
      |
    5 | [app.headers]
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
    error: `upstream` must be a URL that starts with https:// or http://
     --> vestibule.toml:2:12
      |
    2 | upstream = "${WORD}:${PORT}"
      |            ^^^^^^^^^^^^^^^^^ with the environment filled in: `word:4444`

    the configuration has 1 fault
    "#);
}

#[test]
fn faults_of_addresses_and_limits_of_the_server() {
    insta::assert_snapshot!(with(r"
[server]
listen = []
"), @r#"
    error: `listen` names no address
     --> vestibule.toml:2:10
      |
    2 | listen = []
      |          ^^
      |
      = help: without the key it is ["127.0.0.1:4180"]

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(with(r#"
[server]
listen = ["localhost:80", ":80", "4180", "unix:/run/x.sock"]
"#), @r#"
    error: `listen` must be an IP address with a port
     --> vestibule.toml:2:11
      |
    2 | listen = ["localhost:80", ":80", "4180", "unix:/run/x.sock"]
      |           ^^^^^^^^^^^^^^
      |
      = help: write "127.0.0.1:80"

    error: `listen` must be an IP address with a port
     --> vestibule.toml:2:27
      |
    2 | listen = ["localhost:80", ":80", "4180", "unix:/run/x.sock"]
      |                           ^^^^^
      |
      = help: all interfaces are "0.0.0.0:80" or "[::]:80"

    error: `listen` must be an IP address with a port
     --> vestibule.toml:2:34
      |
    2 | listen = ["localhost:80", ":80", "4180", "unix:/run/x.sock"]
      |                                  ^^^^^^
      |
      = help: write, for example, "127.0.0.1:4180" or "[::1]:4180"

    error: `listen` takes TCP addresses only in this version
     --> vestibule.toml:2:42
      |
    2 | listen = ["localhost:80", ":80", "4180", "unix:/run/x.sock"]
      |                                          ^^^^^^^^^^^^^^^^^^
      |
      = help: write, for example, "127.0.0.1:4180"

    the configuration has 4 faults
    "#);
    insta::assert_snapshot!(with(r#"
[server]
listen = ["0.0.0.0:80", "0.0.0.0:80"]
"#), @r#"
    error: the address `0.0.0.0:80` is given twice
     --> vestibule.toml:2:25
      |
    2 | listen = ["0.0.0.0:80", "0.0.0.0:80"]
      |           ------------  ^^^^^^^^^^^^
      |           |
      |           it is given here as well

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(with(r#"
[server]
listen = ["127.0.0.1:4181"]
"#), @r#"
    error: `ops_listen` is 127.0.0.1:4181, and so is an address of `listen`
     --> vestibule.toml:2:10
      |
    2 | listen = ["127.0.0.1:4181"]
      |          ^^^^^^^^^^^^^^^^^^
      |
      = note: metrics and readiness are never answered where visitors come in
      = help: give it a port of its own, or "" for none

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(with(r#"
[server]
prefix = "/_vestibule/"
"#), @r#"
    error: `prefix` must begin with one slash, not end with one, and hold plain letters, digits and -._~ only
     --> vestibule.toml:2:10
      |
    2 | prefix = "/_vestibule/"
      |          ^^^^^^^^^^^^^^
      |
      = note: whatever another reader could take for another path would be a way around our endpoints
      = help: write, for example, "/_vestibule"

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(with(r#"
[server]
trusted_proxies = ["10.0.0.1/8", "ten"]
"#), @r#"
    error: `trusted_proxies` has bits set beyond its first 8
     --> vestibule.toml:2:20
      |
    2 | trusted_proxies = ["10.0.0.1/8", "ten"]
      |                    ^^^^^^^^^^^^
      |
      = help: write "10.0.0.0/8" for the range, or "10.0.0.1" for the one address

    error: `trusted_proxies` must be an IP address or a range of them
     --> vestibule.toml:2:34
      |
    2 | trusted_proxies = ["10.0.0.1/8", "ten"]
      |                                  ^^^^^
      |
      = help: write, for example, "10.0.0.0/8" or "192.0.2.1"

    the configuration has 2 faults
    "#);
    insta::assert_snapshot!(with(r#"
[server.limits]
header_timeout = "0s"
sign_ins_per_client = "10/s"
"#), @r#"
    error: `header_timeout` must be from 100ms to 1h
     --> vestibule.toml:2:18
      |
    2 | header_timeout = "0s"
      |                  ^^^^

    error: `sign_ins_per_client` must be a number for each minute
     --> vestibule.toml:3:23
      |
    3 | sign_ins_per_client = "10/s"
      |                       ^^^^^^
      |
      = help: write, for example, "600/min", or "" for no bound

    the configuration has 2 faults
    "#);
}

#[test]
fn faults_of_log_levels_and_formats() {
    insta::assert_snapshot!(with(r#"
[log]
level = "inof,hyper=debug"
format = "text"
"#), @r#"
    error: `level` has `inof`, which is no level
     --> vestibule.toml:2:9
      |
    2 | level = "inof,hyper=debug"
      |         ^^^^^^^^^^^^^^^^^^
      |
      = help: write a level (off, error, warn, info, debug, trace), or levels by module: "info,vestibule::session=debug"

    error: `format` must be "auto" or "human" or "json"
     --> vestibule.toml:3:10
      |
    3 | format = "text"
      |          ^^^^^^

    the configuration has 2 faults
    "#);
    insta::assert_snapshot!(with(r#"
[log]
level = "info,x=y=z"
"#), @r#"
    error: `level` is no log filter: error parsing level filter: expected one of "off", "error", "warn", "info", "debug", "trace", or a number 0-5
     --> vestibule.toml:2:9
      |
    2 | level = "info,x=y=z"
      |         ^^^^^^^^^^^^
      |
      = help: write a level (off, error, warn, info, debug, trace), or levels by module: "info,vestibule::session=debug"

    the configuration has 1 fault
    "#);
}

#[test]
fn faults_of_the_key_ring() {
    insta::assert_snapshot!(with(r#"
[keys]
secret = "aGVsbG8="
"#), @r"
    error: `secret` has a key of 5 bytes in line 1; 32 are the least
     --> vestibule.toml:2:10
      |
    2 | secret = **********
      |          ^^^^^^^^^^
      |
      = help: make one with: openssl rand -base64 32

    the configuration has 1 fault
    ");
    insta::assert_snapshot!(with(r#"
[keys]
secret = "not base64"
"#), @r"
    error: `secret` must be one key a line in base64, and line 1 is not
     --> vestibule.toml:2:10
      |
    2 | secret = ************
      |          ^^^^^^^^^^^^
      |
      = help: make one with: openssl rand -base64 32

    the configuration has 1 fault
    ");
    insta::assert_snapshot!(with(r#"
[keys]
secret = ""
"#), @r"
    error: `secret` is empty
     --> vestibule.toml:2:10
      |
    2 | secret = **
      |          ^^

    the configuration has 1 fault
    ");
    insta::assert_snapshot!(with(r#"
[keys]
secret = "x"
secret_file = "y"
"#), @r#"
    error: `secret` and `secret_file` are both set
     --> vestibule.toml:3:15
      |
    2 | secret = ***
      |          --- the value
    3 | secret_file = "y"
      |               ^^^
      |
      = help: keep one of the two; the file is the safer one

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(with(r#"
[keys]
secret_file = "no-such-file"
"#), @r#"
    error: cannot read the file of `secret_file`: there is no such file
     --> vestibule.toml:2:15
      |
    2 | secret_file = "no-such-file"
      |               ^^^^^^^^^^^^^^ read as `no-such-file`

    the configuration has 1 fault
    "#);
}

#[test]
fn faults_of_stores_and_times_of_sessions() {
    insta::assert_snapshot!(with(r#"
[store]
url = "postgres://me:pw@host/db"
"#), @r#"
    error: `url` = "postgres:…" is not in this version
     --> vestibule.toml:2:7
      |
    2 | url = "postgres://*****@host/db"
      |       ^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: write url = "memory:"

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(with(r#"
[store]
url = "memory"
"#), @r#"
    error: `url` must be "memory:"
     --> vestibule.toml:2:7
      |
    2 | url = "memory"
      |       ^^^^^^^^

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(with(r#"
[session]
store = "cookie:"
"#), @r#"
    error: `store` = "cookie:…" is not in this version
     --> vestibule.toml:2:9
      |
    2 | store = "cookie:"
      |         ^^^^^^^^^
      |
      = help: write store = "memory:"

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(with(r#"
[session]
lifetime = "1h"
"#), @r#"
    error: `lifetime` (1h) is shorter than `idle_timeout` (8h)
     --> vestibule.toml:2:12
      |
    2 | lifetime = "1h"
      |            ^^^^
      |
      = note: a session ends at its lifetime, used or not, so the time without use would never count
      = help: without the keys, idle_timeout is 8h and lifetime 24h

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(with(r#"
[session]
idle_timeout = "2h"
lifetime = "1h"
"#), @r#"
    error: `lifetime` (1h) is shorter than `idle_timeout` (2h)
     --> vestibule.toml:3:12
      |
    3 | lifetime = "1h"
      |            ^^^^
      |
      = note: a session ends at its lifetime, used or not, so the time without use would never count
      = help: without the keys, idle_timeout is 8h and lifetime 24h

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(with(r#"
[session]
idle_timeout = "0s"
"#), @r#"
    error: `idle_timeout` must be from 1s to 3650d
     --> vestibule.toml:2:16
      |
    2 | idle_timeout = "0s"
      |                ^^^^

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(with(r#"
[session]
idle_timeout = "soon"
lifetime = "1h"
"#), @r#"
    error: `idle_timeout` must be a time: a number with ms, s, m, h or d
     --> vestibule.toml:2:16
      |
    2 | idle_timeout = "soon"
      |                ^^^^^^
      |
      = help: write, for example, "30s" or "5m"

    the configuration has 1 fault
    "#);
}

#[test]
fn faults_of_names_of_providers() {
    insta::assert_snapshot!(provider(r#"
id = "The Company"
"#), @r#"
    error: `id` must be 1 to 64 characters of a-z, 0-9 and -
     --> vestibule.toml:2:6
      |
    2 | id = "The Company"
      |      ^^^^^^^^^^^^^

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(provider(r#"
id = ""
"#), @r#"
    error: `id` is empty
     --> vestibule.toml:2:6
      |
    2 | id = ""
      |      ^^
      |
      = help: write, for example: id = "company"

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(provider(r#"
preset = "entra"
"#), @r#"
    error: `preset` = "entra" is not in this version
     --> vestibule.toml:2:10
      |
    2 | preset = "entra"
      |          ^^^^^^^
      |
      = help: write "generic"

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(provider(r#"
preset = "other"
"#), @r#"
    error: `preset` must be "generic"
     --> vestibule.toml:2:10
      |
    2 | preset = "other"
      |          ^^^^^^^

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(provider(r#"
display_name = " "
"#), @r#"
    error: `display_name` must be one line of text
     --> vestibule.toml:2:16
      |
    2 | display_name = " "
      |                ^^^

    the configuration has 1 fault
    "#);
}

#[test]
fn faults_of_where_a_provider_is() {
    insta::assert_snapshot!(provider(r#"
issuer = "id.example.com"
"#), @r#"
    error: `issuer` must be a URL that starts with https:// or http://
     --> vestibule.toml:2:10
      |
    2 | issuer = "id.example.com"
      |          ^^^^^^^^^^^^^^^^

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(provider(r#"
issuer = "http://id.example.com"
"#), @r#"
    error: `issuer` must start with https://
     --> vestibule.toml:2:10
      |
    2 | issuer = "http://id.example.com"
      |          ^^^^^^^^^^^^^^^^^^^^^^^
      |
      = note: the keys of the provider come from there: whoever can change the traffic can sign in as anybody
      = help: loopback hosts may use http; elsewhere only with insecure_http = true beside it

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(provider(r#"
issuer = "https://id.example.com?x"
"#), @r#"
    error: `issuer` must have no query and no fragment
     --> vestibule.toml:2:10
      |
    2 | issuer = "https://id.example.com?x"
      |          ^^^^^^^^^^^^^^^^^^^^^^^^^^

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(provider(r#"
discovery_url = "http://id.example.com"
"#), @r#"
    error: `discovery_url` must start with https://
     --> vestibule.toml:2:17
      |
    2 | discovery_url = "http://id.example.com"
      |                 ^^^^^^^^^^^^^^^^^^^^^^^
      |
      = note: the keys of the provider come from there: whoever can change the traffic can sign in as anybody
      = help: loopback hosts may use http; elsewhere only with insecure_http = true beside it

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(provider(r#"
ca_file = "no-such-file"
"#), @r#"
    error: cannot read the file of `ca_file`: there is no such file
     --> vestibule.toml:2:11
      |
    2 | ca_file = "no-such-file"
      |           ^^^^^^^^^^^^^^ read as `no-such-file`

    the configuration has 1 fault
    "#);
}

#[test]
fn faults_of_how_we_are_registered_at_a_provider() {
    insta::assert_snapshot!(whole(r#"
[[provider]]
id = "a"
issuer = "https://id.example.com"

[[app]]
id = "wiki"
public_url = "https://wiki.example.com"
upstream = "http://127.0.0.1:1"
access = { policy = "anyone" }
"#), @r#"
    error: `client_id` is missing in `[[provider]]`
     --> vestibule.toml:1:1
      |
    1 | [[provider]]
      | ^^^^^^^^^^^^
      |
      = help: write, for example: client_id = "wiki"

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(provider(r#"
client_id = "CHANGE-ME"
"#), @r#"
    error: `client_id` still is a placeholder
     --> vestibule.toml:2:13
      |
    2 | client_id = "CHANGE-ME"
      |             ^^^^^^^^^^^
      |
      = help: the provider gives it where the client is registered

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(provider(r#"
client_id = ""
"#), @r#"
    error: `client_id` is empty
     --> vestibule.toml:2:13
      |
    2 | client_id = ""
      |             ^^
      |
      = help: write, for example: client_id = "wiki"

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(provider(r#"
client_secret = "<secret>"
"#), @r"
    error: `client_secret` still is a placeholder
     --> vestibule.toml:2:17
      |
    2 | client_secret = **********
      |                 ^^^^^^^^^^
      |
      = help: the provider gives it where the client is registered

    the configuration has 1 fault
    ");
    insta::assert_snapshot!(provider(r#"
client_secret = ""
"#), @r"
    error: `client_secret` is empty
     --> vestibule.toml:2:17
      |
    2 | client_secret = **
      |                 ^^

    the configuration has 1 fault
    ");
    insta::assert_snapshot!(provider(r#"
client_secret_file = "no-such-file"
"#), @r#"
    error: cannot read the file of `client_secret_file`: there is no such file
     --> vestibule.toml:2:22
      |
    2 | client_secret_file = "no-such-file"
      |                      ^^^^^^^^^^^^^^ read as `no-such-file`

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(provider(r#"
client_auth = "client_secret_post"
"#), @r#"
    error: `client_auth` needs a secret, and there is none
     --> vestibule.toml:2:15
      |
    2 | client_auth = "client_secret_post"
      |               ^^^^^^^^^^^^^^^^^^^^
      |
      = help: add client_secret_file, or write client_auth = "none" for a public client

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(provider(r#"
client_auth = "none"
client_secret = "x"
"#), @r#"
    error: `client_auth` is "none", and there is a secret
     --> vestibule.toml:2:15
      |
    2 | client_auth = "none"
      |               ^^^^^^
      |
      = note: a secret that is never used is either forgotten or meant to be used
      = help: remove the secret, or client_auth

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(provider(r#"
client_auth = "private_key_jwt"
"#), @r#"
    error: `client_auth` = "private_key_jwt" is not in this version
     --> vestibule.toml:2:15
      |
    2 | client_auth = "private_key_jwt"
      |               ^^^^^^^^^^^^^^^^^
      |
      = help: write "client_secret_basic" or "client_secret_post" or "none"

    the configuration has 1 fault
    "#);
}

#[test]
fn faults_of_what_is_asked_of_a_provider_and_believed() {
    insta::assert_snapshot!(provider(r#"
scopes = ["profile", "openid email"]
"#), @r#"
    error: `scopes` must hold one scope in each string, without spaces and quotes
     --> vestibule.toml:2:22
      |
    2 | scopes = ["profile", "openid email"]
      |                      ^^^^^^^^^^^^^^
      |
      = help: write, for example, ["openid", "profile", "email"]

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(provider(r#"
scopes = ["profile"]
"#), @r#"
    error: `scopes` must contain "openid"
     --> vestibule.toml:2:10
      |
    2 | scopes = ["profile"]
      |          ^^^^^^^^^^^
      |
      = note: without it the provider answers plain OAuth, which says nothing about who signed in

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(provider(r#"
scopes = ["openid", "openid"]
"#), @r#"
    error: the scope `openid` is given twice
     --> vestibule.toml:2:21
      |
    2 | scopes = ["openid", "openid"]
      |           --------  ^^^^^^^^
      |           |
      |           it is given here as well

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(provider(r#"
id_token_signed_response_alg = "none"
"#), @r#"
    error: `id_token_signed_response_alg` must not be "none"
     --> vestibule.toml:2:32
      |
    2 | id_token_signed_response_alg = "none"
      |                                ^^^^^^
      |
      = note: an ID token without a signature is whatever somebody writes into it
      = help: remove the key: RS256 is what every provider has

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(provider(r#"
id_token_signed_response_alg = "HS256"
"#), @r#"
    error: HS256 is keyed by the client secret, and there is none
     --> vestibule.toml:2:32
      |
    2 | id_token_signed_response_alg = "HS256"
      |                                ^^^^^^^
      |
      = note: anybody could sign with an empty key
      = help: add client_secret_file, or choose an algorithm with a public key

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(provider(r#"
id_token_signed_response_alg = "rs256"
"#), @r#"
    error: `id_token_signed_response_alg` must be a signature algorithm
     --> vestibule.toml:2:32
      |
    2 | id_token_signed_response_alg = "rs256"
      |                                ^^^^^^^
      |
      = help: one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA, HS256, HS384, HS512

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(provider(r#"
claims = { groups = "realm..roles" }
"#), @r#"
    error: `groups` must be the name of a claim, or names joined by dots
     --> vestibule.toml:2:21
      |
    2 | claims = { groups = "realm..roles" }
      |                     ^^^^^^^^^^^^^^
      |
      = help: for example, "realm_access.roles"

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(provider(r#"
trust_email = "yes"
"#), @r#"
    error: `trust_email` must be "verified" or "always" or "never"
     --> vestibule.toml:2:15
      |
    2 | trust_email = "yes"
      |               ^^^^^

    the configuration has 1 fault
    "#);
}

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
             policy = "anyone"

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
public_url = "https://example.com/wiki"
"#), @r#"
    error: `public_url` with a path is not in this version
     --> vestibule.toml:2:14
      |
    2 | public_url = "https://example.com/wiki"
      |              ^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: end it with the host or port

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
hosts = ["*.example.com", "docs.example.com:443", "https://x"]
"#), @r#"
    error: `hosts` takes no `*.` in this version
     --> vestibule.toml:2:10
      |
    2 | hosts = ["*.example.com", "docs.example.com:443", "https://x"]
      |          ^^^^^^^^^^^^^^^
      |
      = help: name each host

    error: `hosts` must be a host without a port
     --> vestibule.toml:2:27
      |
    2 | hosts = ["*.example.com", "docs.example.com:443", "https://x"]
      |                           ^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: ports are ignored when an app is looked up

    error: `hosts` must be a host name or an address
     --> vestibule.toml:2:51
      |
    2 | hosts = ["*.example.com", "docs.example.com:443", "https://x"]
      |                                                   ^^^^^^^^^^^
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
    error: `upstream` must be a URL that starts with https:// or http://
     --> vestibule.toml:2:12
      |
    2 | upstream = "127.0.0.1:8080"
      |            ^^^^^^^^^^^^^^^^

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(app(r#"
upstream = "unix:/run/wiki.sock"
"#), @r#"
    error: `upstream` = "unix:…" is not in this version
     --> vestibule.toml:2:12
      |
    2 | upstream = "unix:/run/wiki.sock"
      |            ^^^^^^^^^^^^^^^^^^^^^
      |
      = help: write http:// or https://

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
    error: `upstream_tls` means nothing for an upstream in plain http
     --> vestibule.toml:2:16
      |
    2 | upstream_tls = { ca_file = "" }
      |                ^^^^^^^^^^^^^^^^
    ...
    5 | upstream = "http://127.0.0.1:8080"
      |            ----------------------- this is not https

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(app(r"
upstream_tls = { insecure_skip_verify = true }
"), @r"
    error: `insecure_skip_verify` is not in this version
     --> vestibule.toml:2:18
      |
    2 | upstream_tls = { insecure_skip_verify = true }
      |                  ^^^^^^^^^^^^^^^^^^^^
      |
      = help: remove it; what it is for comes with a later version

    the configuration has 1 fault
    ");
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
fn an_app_must_say_who_may_enter() {
    insta::assert_snapshot!(whole(r#"
[[provider]]
id = "a"
issuer = "https://id.example.com"
client_id = "x"

[[app]]
id = "wiki"
public_url = "https://wiki.example.com"
upstream = "http://127.0.0.1:1"
"#), @r#"
    error: this app does not say who may enter
     --> vestibule.toml:6:1
      |
    6 | [[app]]
      | ^^^^^^^
      |
      = note: an app without `[app.access]` is open to invited people only, and this version knows no invitations yet: nobody could come in
      = help: say who may enter, for example:

              [app.access]
              policy = "listed"
              allow = [{ email = "you@example.com" }, { email_domain = "example.com" }]

              or, for everybody whom the provider signs in:

              [app.access]
              policy = "anyone"

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(app(r#"
[app.access]
policy = "invited"
"#), @r#"
    error: `policy` = "invited" is not in this version
     --> vestibule.toml:6:10
      |
    6 | policy = "invited"
      |          ^^^^^^^^^
      |
      = note: it knows no invitations yet: nobody could come in
      = help: say who may enter, for example:

              [app.access]
              policy = "listed"
              allow = [{ email = "you@example.com" }, { email_domain = "example.com" }]

              or, for everybody whom the provider signs in:

              [app.access]
              policy = "anyone"

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(app(r#"
[app.access]
policy = "admins"
"#), @r#"
    error: `policy` = "admins" is not in this version
     --> vestibule.toml:6:10
      |
    6 | policy = "admins"
      |          ^^^^^^^^
      |
      = note: it knows no administrators yet: nobody could come in
      = help: say who may enter, for example:

              [app.access]
              policy = "listed"
              allow = [{ email = "you@example.com" }, { email_domain = "example.com" }]

              or, for everybody whom the provider signs in:

              [app.access]
              policy = "anyone"

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(app(r#"
[app.access]
allow = [{ email = "a@b.c" }]
"#), @r#"
    error: `policy` is missing in `[app.access]`
     --> vestibule.toml:5:1
      |
    5 | [app.access]
      | ^^^^^^^^^^^^
      |
      = note: without it the app is open to invited people only, and this version knows no invitations yet
      = help: say who may enter, for example:

              [app.access]
              policy = "listed"
              allow = [{ email = "you@example.com" }, { email_domain = "example.com" }]

              or, for everybody whom the provider signs in:

              [app.access]
              policy = "anyone"

    the configuration has 1 fault
    "#);
}

#[test]
fn faults_of_who_may_enter() {
    insta::assert_snapshot!(app(r#"
[app.access]
policy = "listed"
"#), @r#"
    error: `policy` is "listed", and `allow` lists nobody
     --> vestibule.toml:6:10
      |
    6 | policy = "listed"
      |          ^^^^^^^^
      |
      = note: nobody could enter
      = help: write, for example: allow = [{ email_domain = "example.com" }]

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(app(r#"
[app.access]
policy = "anyone"
allow = [{ email = "a@b.c" }]
"#), @r#"
    error: `allow` means nothing where `policy` is "anyone"
     --> vestibule.toml:7:9
      |
    6 | policy = "anyone"
      |          -------- this admits whoever the provider signs in
    7 | allow = [{ email = "a@b.c" }]
      |         ^^^^^^^^^^^^^^^^^^^^^
      |
      = help: write policy = "listed" if only these may enter, or remove `allow`

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(app(r#"
[app.access]
policy = "everyone"
"#), @r#"
    error: `policy` must be "anyone" or "listed"
     --> vestibule.toml:6:10
      |
    6 | policy = "everyone"
      |          ^^^^^^^^^^
      |
      = help: say who may enter, for example:

              [app.access]
              policy = "listed"
              allow = [{ email = "you@example.com" }, { email_domain = "example.com" }]

              or, for everybody whom the provider signs in:

              [app.access]
              policy = "anyone"

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(app(r#"
[app.access]
policy = "listed"
allow = [{}, { provider = "company" }, { email = "" }]
"#), @r#"
    error: this condition asks for nothing
     --> vestibule.toml:7:10
      |
    7 | allow = [{}, { provider = "company" }, { email = "" }]
      |          ^^
      |
      = help: a condition has email, email_domain, group, claim with is, or ip

    error: this condition asks for nothing
     --> vestibule.toml:7:14
      |
    7 | allow = [{}, { provider = "company" }, { email = "" }]
      |              ^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: a condition has email, email_domain, group, claim with is, or ip

    error: `email` is empty
     --> vestibule.toml:7:50
      |
    7 | allow = [{}, { provider = "company" }, { email = "" }]
      |                                                  ^^

    the configuration has 3 faults
    "#);
    insta::assert_snapshot!(app(r#"
[app.access]
policy = "listed"
allow = [{ email = "a@b@c" }, { email_domain = "@example.com" }, { email_domain = "*" }]
"#), @r#"
    error: `email` is no address: an address has exactly one `@`
     --> vestibule.toml:7:20
      |
    7 | allow = [{ email = "a@b@c" }, { email_domain = "@example.com" }, { email_domain = "*" }]
      |                    ^^^^^^^

    error: `email_domain` must be what follows the `@`
     --> vestibule.toml:7:48
      |
    7 | allow = [{ email = "a@b@c" }, { email_domain = "@example.com" }, { email_domain = "*" }]
      |                                                ^^^^^^^^^^^^^^
      |
      = help: write "example.com"

    error: `email_domain` is no domain: the part after `@` must be a domain name in ASCII (xn--… for others)
     --> vestibule.toml:7:83
      |
    7 | allow = [{ email = "a@b@c" }, { email_domain = "@example.com" }, { email_domain = "*" }]
      |                                                                                   ^^^
      |
      = help: write "example.com", or "*.example.com" for what is below it

    the configuration has 3 faults
    "#);
    insta::assert_snapshot!(app(r#"
[app.access]
policy = "listed"
allow = [{ claim = "hd" }, { is = "x" }, { ip = "10.0.0.0/33" }]
"#), @r#"
    error: `claim` and `is` belong together
     --> vestibule.toml:7:20
      |
    7 | allow = [{ claim = "hd" }, { is = "x" }, { ip = "10.0.0.0/33" }]
      |                    ^^^^
      |
      = help: write, for example: { claim = "hd", is = "example.com" }

    error: `claim` and `is` belong together
     --> vestibule.toml:7:35
      |
    7 | allow = [{ claim = "hd" }, { is = "x" }, { ip = "10.0.0.0/33" }]
      |                                   ^^^
      |
      = help: write, for example: { claim = "hd", is = "example.com" }

    error: `ip` must be an IP address or a range of them
     --> vestibule.toml:7:49
      |
    7 | allow = [{ claim = "hd" }, { is = "x" }, { ip = "10.0.0.0/33" }]
      |                                                 ^^^^^^^^^^^^^
      |
      = help: write, for example, "10.0.0.0/8" or "192.0.2.1"

    the configuration has 3 faults
    "#);
    insta::assert_snapshot!(app(r#"
[app.access]
policy = "anyone"
deny = [{ email = "a@b.c", groups = "x" }]
"#), @r#"
    error: unknown key `groups` in a condition
     --> vestibule.toml:7:28
      |
    7 | deny = [{ email = "a@b.c", groups = "x" }]
      |                            ^^^^^^ did you mean `group`?

    the configuration has 1 fault
    "#);
}

#[test]
fn faults_of_routes() {
    insta::assert_snapshot!(app(r#"
[app.access]
policy = "anyone"

[[app.route]]
"#), @r#"
    error: `path` is missing in `[[app.route]]`
     --> vestibule.toml:8:1
      |
    8 | [[app.route]]
      | ^^^^^^^^^^^^^
      |
      = help: write, for example: path = "/metrics"

    error: `access` is missing in `[[app.route]]`
     --> vestibule.toml:8:1
      |
    8 | [[app.route]]
      | ^^^^^^^^^^^^^
      |
      = help: write, for example: access = "public"

    the configuration has 2 faults
    "#);
    insta::assert_snapshot!(app(r#"
[app.access]
policy = "anyone"

[[app.route]]
path = "/a/../b"
access = "listed"
methods = []
"#), @r#"
    error: `path` has the segment `..`
     --> vestibule.toml:9:8
      |
    9 | path = "/a/../b"
      |        ^^^^^^^^^
      |
      = note: dot segments in a request are resolved before paths are compared

    error: `access` = "listed" is not in this version
      --> vestibule.toml:10:10
       |
    10 | access = "listed"
       |          ^^^^^^^^
       |
       = help: write access = "public", or remove the route: the app's policy holds then

    error: `methods` is empty, so the route could never match
      --> vestibule.toml:11:11
       |
    11 | methods = []
       |           ^^
       |
       = help: remove the key for all methods

    the configuration has 3 faults
    "#);
    insta::assert_snapshot!(app(r#"
[app.access]
policy = "anyone"

[[app.route]]
path = "/%61dmin"
access = "public"
methods = ["get", "G T"]
"#), @r#"
    error: `path` is not in the spelling that paths have when they are compared
     --> vestibule.toml:9:8
      |
    9 | path = "/%61dmin"
      |        ^^^^^^^^^^
      |
      = help: write this segment as `admin`

    error: `methods` must be in upper case
      --> vestibule.toml:11:12
       |
    11 | methods = ["get", "G T"]
       |            ^^^^^
       |
       = note: methods are case-sensitive (RFC 9110 §9.1)
       = help: write "GET"

    error: `methods` must hold one method in each string
      --> vestibule.toml:11:19
       |
    11 | methods = ["get", "G T"]
       |                   ^^^^^
       |
       = help: write, for example, ["GET", "POST"]

    the configuration has 3 faults
    "#);
    insta::assert_snapshot!(app(r#"
[app.access]
policy = "anyone"

[[app.route]]
path = "/*.js"
access = { allow = [] }
on_anonymous = "auto"
"#), @r#"
    error: `path` may have `*` as a whole segment only
     --> vestibule.toml:9:8
      |
    9 | path = "/*.js"
      |        ^^^^^^^
      |
      = help: `/files/*` is any one segment, `/files/**` is everything below

    error: `access` as a table is not in this version
      --> vestibule.toml:10:10
       |
    10 | access = { allow = [] }
       |          ^^^^^^^^^^^^^^
       |
       = help: write a string

    error: `on_anonymous` is not in this version
      --> vestibule.toml:11:1
       |
    11 | on_anonymous = "auto"
       | ^^^^^^^^^^^^
       |
       = help: remove it; what it is for comes with a later version

    the configuration has 3 faults
    "#);
    insta::assert_snapshot!(app(r#"
[app.access]
policy = "anyone"

[[app.route]]
path = "metrics?x"
access = "public"
"#), @r#"
    error: `path` must start with a slash
     --> vestibule.toml:9:8
      |
    9 | path = "metrics?x"
      |        ^^^^^^^^^^^
      |
      = help: write "/metrics?x"

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
