//! `[app.access]` and `[[app.route]]`

use super::{
    super::{MINIMAL, accepted},
    app, parse, whole,
};

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
access = "invited"
methods = []
"#), @r#"
    error: `path` has the segment `..`
     --> vestibule.toml:9:8
      |
    9 | path = "/a/../b"
      |        ^^^^^^^^^
      |
      = note: dot segments in a request are resolved before paths are compared

    error: `access` = "invited" is not in this version
      --> vestibule.toml:10:10
       |
    10 | access = "invited"
       |          ^^^^^^^^^
       |
       = note: it knows no invitations yet
       = help: write a table: { allow = [{ group = "…" }] }, or remove the route: the app's policy holds then

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
access = { allow = [], max_auth_age = "10m" }
on_anonymous = "never"
"#), @r#"
    error: `path` may have `*` as a whole segment only
     --> vestibule.toml:9:8
      |
    9 | path = "/*.js"
      |        ^^^^^^^
      |
      = help: `/files/*` is any one segment, `/files/**` is everything below

    error: `allow` lists nobody, so nobody could pass
      --> vestibule.toml:10:20
       |
    10 | access = { allow = [], max_auth_age = "10m" }
       |                    ^^
       |
       = help: remove `allow` if the app's policy is enough here

    error: `max_auth_age` is not in this version
      --> vestibule.toml:10:24
       |
    10 | access = { allow = [], max_auth_age = "10m" }
       |                        ^^^^^^^^^^^^
       |
       = help: remove it; what it is for comes with a later version

    error: `on_anonymous` must be "auto" or "redirect" or "unauthorized"
      --> vestibule.toml:11:16
       |
    11 | on_anonymous = "never"
       |                ^^^^^^^

    the configuration has 4 faults
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
fn conditions_that_can_do_nothing_are_faults_with_the_reason() {
    insta::assert_snapshot!(app(r#"
[app.access]
policy = "listed"
allow = [{ email = "ann@example.com" }, { group = "staff" }, { ip = "10.1.0.0/16", group = "ops" }]
deny = [{ email_domain = "Example.com" }, { ip = "10.0.0.0/8" }]
"#), @r#"
    error: this condition can never let anybody in
     --> vestibule.toml:7:10
      |
    7 | allow = [{ email = "ann@example.com" }, { group = "staff" }, { ip = "10.1.0.0/16", group = "ops" }]
      |          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
    8 | deny = [{ email_domain = "Example.com" }, { ip = "10.0.0.0/8" }]
      |         -------------------------------- whoever matches it matches this as well
      |
      = note: `deny` wins over `allow`
      = help: remove one of the two

    error: this condition can never let anybody in
     --> vestibule.toml:7:62
      |
    7 | allow = [{ email = "ann@example.com" }, { group = "staff" }, { ip = "10.1.0.0/16", group = "ops" }]
      |                                                              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
    8 | deny = [{ email_domain = "Example.com" }, { ip = "10.0.0.0/8" }]
      |                                           --------------------- whoever matches it matches this as well
      |
      = note: `deny` wins over `allow`
      = help: remove one of the two

    the configuration has 2 faults
    "#);
    insta::assert_snapshot!(app(r#"
[app.access]
policy = "listed"
allow = [{ group = "staff" }, { email = "a@b.c" }, { email = "A@B.C" }]
deny = [{ ip = "10.0.0.0/8" }, { ip = "10.0.0.0/8" }]
"#), @r#"
    error: this condition is given twice
     --> vestibule.toml:7:52
      |
    7 | allow = [{ group = "staff" }, { email = "a@b.c" }, { email = "A@B.C" }]
      |                               -------------------  ^^^^^^^^^^^^^^^^^^^
      |                               |
      |                               it is given here as well
      |
      = help: keep one of the two

    error: this condition is given twice
     --> vestibule.toml:8:32
      |
    8 | deny = [{ ip = "10.0.0.0/8" }, { ip = "10.0.0.0/8" }]
      |         ---------------------  ^^^^^^^^^^^^^^^^^^^^^
      |         |
      |         it is given here as well
      |
      = help: keep one of the two

    the configuration has 2 faults
    "#);
    insta::assert_snapshot!(app(r#"
[app.access]
policy = "listed"
allow = [{ email = "a@b.c", email_domain = "example.com" }]
"#), @r#"
    error: this condition can never hold: its `email` is not in its `email_domain`
     --> vestibule.toml:7:10
      |
    7 | allow = [{ email = "a@b.c", email_domain = "example.com" }]
      |          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = note: all keys of one condition hold together
      = help: write two conditions, or keep one of the two keys

    the configuration has 1 fault
    "#);
}

#[test]
fn deny_narrows_allow_without_a_word() {
    for (allow, deny) in [
        ("{ email_domain = \"example.com\" }", "{ email = \"a@example.com\" }"),
        ("{ group = \"staff\" }", "{ group = \"staff\", ip = \"10.0.0.0/8\" }"),
        ("{ email_domain = \"*.example.com\" }", "{ email_domain = \"example.com\" }"),
        ("{ email_domain = \"example.com\" }", "{ email_domain = \"*.example.com\" }"),
        ("{ ip = \"10.0.0.0/8\" }", "{ ip = \"10.1.0.0/16\" }"),
        ("{ ip = \"10.0.0.0/8\" }", "{ ip = \"::/0\" }"),
        ("{ claim = \"a\", is = \"x\" }", "{ claim = \"a\", is = \"y\" }"),
        ("{ group = \"staff\" }", "{ group = \"staff\", provider = \"company\" }"),
    ] {
        let access = format!("access = {{ policy = \"listed\", allow = [{allow}], deny = [{deny}] }}");
        accepted(&MINIMAL.replace("[app.access]\npolicy = \"anyone\"", &access));
    }
}

#[test]
fn a_route_that_no_request_reaches_is_warned_of() {
    let routes = "[[app.route]]\npath = \"/public/**\"\naccess = \"public\"\n\n[[app.route]]\npath = \
                  \"/public/health\"\nmethods = [\"GET\"]\naccess = \"public\"\n";
    let warnings = accepted(&format!("store.url = \"memory:\"\n{MINIMAL}\n{routes}")).warnings;
    insta::assert_snapshot!(warnings.join("\n"), @"vestibule.toml:21: no request reaches this route: the one at vestibule.toml:17 takes all of them");
}

#[test]
fn faults_of_patterns_of_paths() {
    insta::assert_snapshot!(app(r#"
[app.access]
policy = "anyone"

[[app.route]]
path = "/**/x"
access = "public"

[[app.route]]
path = "/a//b"
access = "public"

[[app.route]]
path = "/a;b"
access = "public"

[[app.route]]
path = "/100%"
access = "public"

[[app.route]]
path = "/a%00"
access = "everybody"

[[app.route]]
path = "/straße"
access = "public"
"#), @r#"
    error: `path` may have `**` at its end only
     --> vestibule.toml:9:8
      |
    9 | path = "/**/x"
      |        ^^^^^^^
      |
      = help: `*` stands for one whole segment

    error: `path` has an empty segment
      --> vestibule.toml:13:8
       |
    13 | path = "/a//b"
       |        ^^^^^^^
       |
       = note: `//` in a request is read as `/` before paths are compared

    error: `path` must not contain `;`
      --> vestibule.toml:17:8
       |
    17 | path = "/a;b"
       |        ^^^^^^
       |
       = note: some servers cut a segment there, so such a path never has one reading

    error: `path` has a `%` that is not followed by two hexadecimal digits
      --> vestibule.toml:21:8
       |
    21 | path = "/100%"
       |        ^^^^^^^
       |
       = help: a literal `%` is written `%25`

    error: `path` must not contain the null character
      --> vestibule.toml:25:8
       |
    25 | path = "/a%00"
       |        ^^^^^^^

    error: `access` must be "public", "optional", "anyone", "listed" or a table
      --> vestibule.toml:26:10
       |
    26 | access = "everybody"
       |          ^^^^^^^^^^^
       |
       = help: a table narrows: { allow = [{ group = "ops" }], deny = [] }

    error: `path` is not in the spelling that paths have when they are compared
      --> vestibule.toml:29:8
       |
    29 | path = "/straße"
       |        ^^^^^^^^^
       |
       = help: write this segment as `stra%C3%9Fe`

    the configuration has 7 faults
    "#);
}

#[test]
fn everybody_there_is_must_be_meant() {
    let before = |issuer: &str, keys: &str| {
        let text = format!(
            r#"[[provider]]
id = "a"
issuer = "{issuer}"
client_id = "x"

[[app]]
id = "wiki"
public_url = "https://wiki.example.com"
upstream = "http://127.0.0.1:1"
{keys}
[app.access]
policy = "anyone"
"#
        );
        parse(&text).map(drop).map_err(|faults| faults.to_string())
    };
    insta::assert_snapshot!(before("https://accounts.google.com", "").expect_err("a fault"), @r#"
    error: anybody can make an account at https://accounts.google.com, and so enter this app
      --> vestibule.toml:12:10
       |
    12 | policy = "anyone"
       |          ^^^^^^^^
       |
       = note: `policy = "anyone"` admits whoever the provider signs in, and this one signs in everybody
       = help: name who may enter: policy = "listed" with `allow`; or write open_to_public = true below [[app]]

    the configuration has 1 fault
    "#);
    assert_eq!(before("https://accounts.google.com", "open_to_public = true").err(), None);
    assert_eq!(before("https://gitlab.example.com", "").err(), None);
}

#[test]
fn faults_of_what_a_route_asks() {
    insta::assert_snapshot!(app(r#"
[app.access]
policy = "anyone"

[[app.route]]
path = "/a"
access = "everyone"

[[app.route]]
path = "/b"
access = {}

[[app.route]]
path = "/c"
access = { deny = [{ group = "x" }], alow = [] }

[[app.route]]
path = "/d"
access = 7

[[app.route]]
path = "/e"
access = "admins"

[[app.route]]
path = "/f"
access = { allow = [{ group = "x", provider = "other" }], acr = "mfa" }
"#), @r#"
    error: `access` must be "public", "optional", "anyone", "listed" or a table
      --> vestibule.toml:10:10
       |
    10 | access = "everyone"
       |          ^^^^^^^^^^
       |
       = help: a table narrows: { allow = [{ group = "ops" }], deny = [] }

    error: this table asks for nothing beyond the app's policy
      --> vestibule.toml:14:10
       |
    14 | access = {}
       |          ^^
       |
       = help: write, for example: access = { allow = [{ group = "ops" }] }

    error: unknown key `alow` in `[app.route.access]`
      --> vestibule.toml:18:38
       |
    18 | access = { deny = [{ group = "x" }], alow = [] }
       |                                      ^^^^ did you mean `allow`?

    error: `access` must be a word or a table, not a number
      --> vestibule.toml:22:10
       |
    22 | access = 7
       |          ^

    error: `access` = "admins" is not in this version
      --> vestibule.toml:26:10
       |
    26 | access = "admins"
       |          ^^^^^^^^
       |
       = note: it knows no administrators yet
       = help: write a table: { allow = [{ group = "…" }] }, or remove the route: the app's policy holds then

    error: `provider` names "other", and there is no such provider
      --> vestibule.toml:30:47
       |
    30 | access = { allow = [{ group = "x", provider = "other" }], acr = "mfa" }
       |                                               ^^^^^^^
       |
       = help: the providers here are "company"

    error: `acr` is not in this version
      --> vestibule.toml:30:59
       |
    30 | access = { allow = [{ group = "x", provider = "other" }], acr = "mfa" }
       |                                                           ^^^
       |
       = help: remove it; what it is for comes with a later version

    the configuration has 7 faults
    "#);
    insta::assert_snapshot!(app(r#"
[app.access]
policy = "anyone"

[[app.route]]
path = "/a/**"
access = "listed"
"#), @r#"
    error: this route is for the "listed", and `[app.access]` has no `allow`
     --> vestibule.toml:9:8
      |
    9 | path = "/a/**"
      |        ^^^^^^^
      |
      = note: nobody could pass
      = help: give `[app.access]` an `allow`, or the route a table: access = { allow = [ … ] }

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(app(r#"
[app.access]
policy = "listed"
alow = [{ group = "x" }]
allow_file = "/nowhere/at-all"
"#), @r#"
    error: unknown key `alow` in `[app.access]`
     --> vestibule.toml:7:1
      |
    7 | alow = [{ group = "x" }]
      | ^^^^ did you mean `allow`?

    error: cannot read the file of `allow_file`: there is no such file
     --> vestibule.toml:8:14
      |
    8 | allow_file = "/nowhere/at-all"
      |              ^^^^^^^^^^^^^^^^^ read as `/nowhere/at-all`

    the configuration has 2 faults
    "#);
}

#[test]
fn a_table_of_a_later_version_alone_is_one_fault() {
    for key in ["acr = \"mfa\"", "max_auth_age = \"10m\""] {
        let faults = app(&format!("\nroute = [{{ path = \"/admin/**\", access = {{ {key} }} }}]\n"));
        assert!(faults.contains("is not in this version"), "{faults}");
        assert!(faults.ends_with("the configuration has 1 fault"), "{faults}");
    }
}
