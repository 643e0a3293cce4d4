//! `[server]`, `[log]`, `[keys]`, `[store]` and `[session]`.

use super::{
    super::{MINIMAL, accepted},
    with,
};

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
listen = ["localhost:80", ":80", "4180"]
"#), @r#"
    error: `listen` must be an IP address with a port
     --> vestibule.toml:2:11
      |
    2 | listen = ["localhost:80", ":80", "4180"]
      |           ^^^^^^^^^^^^^^
      |
      = help: write "127.0.0.1:80"

    error: `listen` must be an IP address with a port
     --> vestibule.toml:2:27
      |
    2 | listen = ["localhost:80", ":80", "4180"]
      |                           ^^^^^
      |
      = help: all interfaces are "0.0.0.0:80" or "[::]:80"

    error: `listen` must be an IP address with a port
     --> vestibule.toml:2:34
      |
    2 | listen = ["localhost:80", ":80", "4180"]
      |                                  ^^^^^^
      |
      = help: write, for example, "127.0.0.1:4180" or "[::1]:4180"

    the configuration has 3 faults
    "#);
    insta::assert_snapshot!(with(r#"
[server]
listen = ["unix:run/x.sock", "unix:/run/x.sock?mode=1777", "systemd:a:b", "unix:/run/y", "unix:/run/y?mode=600"]
ops_listen = "unix:/run/ops.sock"
"#), @r#"
    error: `listen` must have the absolute path of a socket after `unix:`
     --> vestibule.toml:2:11
      |
    2 | listen = ["unix:run/x.sock", "unix:/run/x.sock?mode=1777", "systemd:a:b", "unix:/run/y", "unix:/run/y?mode=600"]
      |           ^^^^^^^^^^^^^^^^^
      |
      = help: write, for example, "unix:/run/vestibule.sock?mode=0660"

    error: `listen` takes `?mode=` with permission bits in octal after the path
     --> vestibule.toml:2:30
      |
    2 | listen = ["unix:run/x.sock", "unix:/run/x.sock?mode=1777", "systemd:a:b", "unix:/run/y", "unix:/run/y?mode=600"]
      |                              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: write, for example, "unix:/run/vestibule.sock?mode=0660"

    error: `listen` has a name that systemd cannot give
     --> vestibule.toml:2:60
      |
    2 | listen = ["unix:run/x.sock", "unix:/run/x.sock?mode=1777", "systemd:a:b", "unix:/run/y", "unix:/run/y?mode=600"]
      |                                                            ^^^^^^^^^^^^^
      |
      = help: write the FileDescriptorName= of the .socket unit, or "systemd:" for every socket of it

    error: `ops_listen` must be an IP address with a port
     --> vestibule.toml:3:14
      |
    3 | ops_listen = "unix:/run/ops.sock"
      |              ^^^^^^^^^^^^^^^^^^^^
      |
      = help: write, for example, "127.0.0.1:4180" or "[::1]:4180"

    the configuration has 4 faults
    "#);
    insta::assert_snapshot!(with(&format!("
[server]
listen = [\"unix:/{}\"]
", "x".repeat(107))), @r#"
    error: `listen` has a path of 108 bytes; the system takes 107 for a socket
     --> vestibule.toml:2:11
      |
    2 | listen = ["unix:/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"]
      |           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(with(r"
[server]
proxy_protocol = true
"), @r#"
    error: `proxy_protocol` needs `trusted_proxies`
     --> vestibule.toml:2:18
      |
    2 | proxy_protocol = true
      |                  ^^^^
      |
      = note: a PROXY header is believed from a trusted proxy only, and nobody else may connect then
      = help: name the load balancer: trusted_proxies = ["192.0.2.0/24"], or "unix" for a Unix socket

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(with(r"
[server.limits]
connections = -1
"), @r"
    error: `connections` must be a number from 0 to 10000000
     --> vestibule.toml:2:15
      |
    2 | connections = -1
      |               ^^

    the configuration has 1 fault
    ");
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
fn faults_of_sizes_and_numbers_of_heads() {
    insta::assert_snapshot!(with(r#"
[server.limits]
header_bytes = 65536
header_count = 5000
uri_bytes = "64KB"
connections = -1
"#), @r#"
    error: `header_bytes` needs a unit
     --> vestibule.toml:2:16
      |
    2 | header_bytes = 65536
      |                ^^^^^
      |
      = help: write, for example, "64KiB" or "10MiB"

    error: `header_count` must be a number from 16 to 1000
     --> vestibule.toml:3:16
      |
    3 | header_count = 5000
      |                ^^^^

    error: `uri_bytes` must be a size: a number with B, KiB, MiB or GiB
     --> vestibule.toml:4:13
      |
    4 | uri_bytes = "64KB"
      |             ^^^^^^
      |
      = help: write, for example, "64KiB" or "10MiB"

    error: `connections` must be a number from 0 to 10000000
     --> vestibule.toml:5:15
      |
    5 | connections = -1
      |               ^^

    the configuration has 4 faults
    "#);
    insta::assert_snapshot!(with(r#"
[server.limits]
header_bytes = "4KiB"
header_count = "100"
uri_bytes = "64KiB"
connections = "many"
"#), @r#"
    error: `header_bytes` must be from 8KiB to 1MiB
     --> vestibule.toml:2:16
      |
    2 | header_bytes = "4KiB"
      |                ^^^^^^

    error: `header_count` must be a whole number, not a string
     --> vestibule.toml:3:16
      |
    3 | header_count = "100"
      |                ^^^^^

    error: `uri_bytes` must be from 1KiB to 63KiB
     --> vestibule.toml:4:13
      |
    4 | uri_bytes = "64KiB"
      |             ^^^^^^^

    error: `connections` must be a whole number, not a string
     --> vestibule.toml:5:15
      |
    5 | connections = "many"
      |               ^^^^^^

    the configuration has 4 faults
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
    insta::assert_snapshot!(with(
        r#"
[keys]
secret = " \n "
"#
    ), @r"
    error: `secret` is empty
     --> vestibule.toml:2:10
      |
    2 | secret = ******
      |          ^^^^^^

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
      = help: without the keys, idle_timeout is 8h and lifetime 1d

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
      = help: without the keys, idle_timeout is 8h and lifetime 1d

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
fn sessions_that_end_while_somebody_reads_a_page_are_warned_of() {
    let warnings = accepted(&format!(
        "store.url = \"memory:\"\nsession.idle_timeout = \"30s\"\nsession.lifetime = \"2m\"\n{MINIMAL}"
    ));
    insta::assert_snapshot!(warnings.warnings.join("\n"), @r"
    vestibule.toml:2: `idle_timeout` is 30s: whoever reads a page for that long signs in again
    vestibule.toml:3: `lifetime` is 2m: everybody signs in again that often
    ");
}

#[test]
fn a_proxy_may_not_be_much_of_the_internet_unnoticed() {
    let warned = |range: &str| {
        let config = accepted(&format!("server.trusted_proxies = [\"{range}\"]\n{MINIMAL}"));
        config.warnings.iter().any(|warning| warning.contains("`trusted_proxies` holds"))
    };
    for wide in ["0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1", "64.0.0.0/7", "::/0", "2000::/3", "2a00::/15"] {
        assert!(warned(wide), "{wide}");
    }
    for own in ["10.0.0.0/8", "127.0.0.0/8", "2a00::/16", "fc00::/7", "fd00::/8", "fe80::/10"] {
        assert!(!warned(own), "{own}");
    }
}
