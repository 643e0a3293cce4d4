//! `[app.headers]` and `cache`.

use super::{super::accepted, APP, PROVIDER, app, table};

/// The faults of lines of `[app.headers]`.
fn headers(lines: &str) -> String {
    app(&format!("\n[app.headers]{lines}"))
}

/// The warnings of an app that has no faults.
fn warnings(keys: &str) -> Vec<String> {
    let text =
        format!("{}{}[store]\nurl = \"memory:\"\n", table("app", keys, &APP), table("provider", "\n", &PROVIDER));
    accepted(&text).warnings
}

#[test]
fn faults_of_words_and_patterns() {
    insta::assert_snapshot!(headers(r#"
preset = "x-forwarded"
encoding = "utf-8"
authorization = "refresh_token"
assertion = "yes"
pass_groups = ["", "ok-*"]
"#), @r#"
    error: `preset` must be "forwarded" or "auth_request" or "remote" or "none"
     --> vestibule.toml:7:10
      |
    7 | preset = "x-forwarded"
      |          ^^^^^^^^^^^^^

    error: `encoding` must be "percent" or "utf8" or "latin1"
     --> vestibule.toml:8:12
      |
    8 | encoding = "utf-8"
      |            ^^^^^^^

    error: `authorization` must be "none" or "id_token" or "access_token"
     --> vestibule.toml:9:17
      |
    9 | authorization = "refresh_token"
      |                 ^^^^^^^^^^^^^^^

    error: `assertion` must be true or false, without quotes, not a string
      --> vestibule.toml:10:13
       |
    10 | assertion = "yes"
       |             ^^^^^

    error: `pass_groups` must hold the name of a group in each string
      --> vestibule.toml:11:16
       |
    11 | pass_groups = ["", "ok-*"]
       |                ^^
       |
       = help: for example, ["wiki-*"]

    the configuration has 5 faults
    "#);
    insta::assert_snapshot!(app(r#"
cache = "public"
"#), @r#"
    error: `cache` must be "private" or "as_is"
     --> vestibule.toml:2:9
      |
    2 | cache = "public"
      |         ^^^^^^^^

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(headers(r#"
preset = "none"
pass_groups = ["wiki-*"]
set = { X-Org = { value = "wiki" } }
"#), @r#"
    error: `pass_groups` means nothing here: no header tells the app any group
     --> vestibule.toml:8:16
      |
    8 | pass_groups = ["wiki-*"]
      |                ^^^^^^^^
      |
      = help: choose a preset, write assertion = true, or remove the key

    the configuration has 1 fault
    "#);
}

#[test]
fn faults_of_names_that_nobody_sets() {
    insta::assert_snapshot!(headers(r#"
[app.headers.set]
X_User = { claim = "sub" }
"X User" = { claim = "sub" }
Host = { value = "internal" }
Connection = { value = "close" }
Content-Length = { value = "0" }
Cookie = { value = "a=1" }
X-Forwarded-For = { value = "127.0.0.1" }
X-HTTP-Method-Override = { value = "DELETE" }
X-Vestibule-Assertion = { claim = "sub" }
"#), @r#"
    error: `X_User` cannot be set: it has a `_`
     --> vestibule.toml:8:1
      |
    8 | X_User = { claim = "sub" }
      | ^^^^^^
      |
      = note: many servers take `_` for `-` and others drop such names: they are removed from every request
      = help: write "X-User"

    error: `X User` cannot be set: it is no name of a header
     --> vestibule.toml:9:1
      |
    9 | "X User" = { claim = "sub" }
      | ^^^^^^^^
      |
      = note: it must be 1 to 64 letters, digits and `-`

    error: `Host` cannot be set: it says which host is asked for
      --> vestibule.toml:10:1
       |
    10 | Host = { value = ************
       | ^^^^
       |
       = note: `preserve_host` decides it

    error: `Connection` cannot be set: it is about one connection only
      --> vestibule.toml:11:1
       |
    11 | Connection = { value = *********
       | ^^^^^^^^^^
       |
       = note: such fields end at each proxy (RFC 9110 §7.6.1): ours to the app are Vestibule's own business

    error: `Content-Length` cannot be set: it frames the request
      --> vestibule.toml:12:1
       |
    12 | Content-Length = { value = *****
       | ^^^^^^^^^^^^^^
       |
       = note: two requests could come out of one

    error: `Cookie` cannot be set: it holds the app's own cookies
      --> vestibule.toml:13:1
       |
    13 | Cookie = { value = *******
       | ^^^^^^
       |
       = note: they pass byte for byte, without ours

    error: `X-Forwarded-For` cannot be set: it says where a request came from or went
      --> vestibule.toml:14:1
       |
    14 | X-Forwarded-For = { value = *************
       | ^^^^^^^^^^^^^^^
       |
       = note: Vestibule removes what visitors say there and tells the app itself what it knows

    error: `X-HTTP-Method-Override` cannot be set: it asks the app for another method
      --> vestibule.toml:15:1
       |
    15 | X-HTTP-Method-Override = { value = **********
       | ^^^^^^^^^^^^^^^^^^^^^^
       |
       = note: one method would be judged and another served

    error: `X-Vestibule-Assertion` cannot be set: it is one of our own
      --> vestibule.toml:16:1
       |
    16 | X-Vestibule-Assertion = { claim = "sub" }
       | ^^^^^^^^^^^^^^^^^^^^^
       |
       = note: apps believe that nobody but Vestibule sets what begins with `X-Vestibule-`

    the configuration has 9 faults
    "#);
    insta::assert_snapshot!(headers(r#"
drop = ["X-Internal", "X_Internal", "Transfer-Encoding", "X-Method-Override", "x-real-ip"]
"#), @r#"
    error: `drop` names `X_Internal`, which cannot be dropped: it has a `_`
     --> vestibule.toml:7:23
      |
    7 | drop = ["X-Internal", "X_Internal", "Transfer-Encoding", "X-Method-Override", "x-real-ip"]
      |                       ^^^^^^^^^^^^
      |
      = note: many servers take `_` for `-` and others drop such names: they are removed from every request
      = help: write "X-Internal"

    error: `drop` names `Transfer-Encoding`, which cannot be dropped: it frames the request
     --> vestibule.toml:7:37
      |
    7 | drop = ["X-Internal", "X_Internal", "Transfer-Encoding", "X-Method-Override", "x-real-ip"]
      |                                     ^^^^^^^^^^^^^^^^^^^
      |
      = note: two requests could come out of one

    error: `drop` names `x-real-ip`, which cannot be dropped: it says where a request came from or went
     --> vestibule.toml:7:79
      |
    7 | drop = ["X-Internal", "X_Internal", "Transfer-Encoding", "X-Method-Override", "x-real-ip"]
      |                                                                               ^^^^^^^^^^^
      |
      = note: Vestibule removes what visitors say there and tells the app itself what it knows

    the configuration has 3 faults
    "#);
}

#[test]
fn faults_of_values() {
    insta::assert_snapshot!(headers(r#"
[app.headers.set]
X-A = "wiki"
X-B = {}
X-C = { claim = "sub", value = "x" }
X-D = { value = "a\r\nX-Admin: 1" }
X-E = { value = "" }
X-F = { claim = "a..b" }
X-G = { calim = "sub" }
"#), @r#"
    error: `X-A` must be a table: { claim = "…" }, { value = "…" } or { basic = { … } }, not a string
     --> vestibule.toml:8:7
      |
    8 | X-A = ******
      |       ^^^^^^

    error: this header has no value
     --> vestibule.toml:9:7
      |
    9 | X-B = {}
      |       ^^
      |
      = help: write, for example: X-WEBAUTH-USER = { claim = "preferred_username" }

    error: this header has several values
      --> vestibule.toml:10:7
       |
    10 | X-C = { claim = "sub", value = *****
       |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = help: keep one of claim, value and basic

    error: `value` must be printable ASCII without spaces around it
      --> vestibule.toml:11:17
       |
    11 | X-D = { value = *******************
       |                 ^^^^^^^^^^^^^^^^^
       |
       = help: what an app has to decode, write as the app wants it encoded

    error: `value` is empty
      --> vestibule.toml:12:17
       |
    12 | X-E = { value = ****
       |                 ^^

    error: `claim` must be the name of a claim, or names joined by dots
      --> vestibule.toml:13:17
       |
    13 | X-F = { claim = "a..b" }
       |                 ^^^^^^
       |
       = help: for example, "realm_access.roles"

    error: unknown key `calim` in a header of `set`
      --> vestibule.toml:14:9
       |
    14 | X-G = { calim = *******
       |         ^^^^^ did you mean `claim`?

    the configuration has 7 faults
    "#);
    insta::assert_snapshot!(headers(r#"
[app.headers.set]
X-A = { basic = { username = "svc" } }
X-B = { basic = { username = "a:b", password = "hunter2" } }
X-C = { basic = { username = "svc", password = "", } }
X-D = { basic = { username = "svc", password_file = "nowhere" } }
X-E = { basic = "svc:hunter2" }
"#), @r#"
    error: `password_file` is missing in `basic`
     --> vestibule.toml:8:17
      |
    8 | X-A = { basic = { username = *********
      |                 ^^^^^^^^^^^^^^^^^^^^
      |
      = help: write, for example: password_file = "upstream-password"

    error: `username` must be one line without `:`
     --> vestibule.toml:9:30
      |
    9 | X-B = { basic = { username = *******************************
      |                              ^^^^^
      |
      = note: the password begins at the colon (RFC 7617 §2)

    error: `password` is empty
      --> vestibule.toml:10:48
       |
    10 | X-C = { basic = { username = *************************
       |                                                ^^

    error: cannot read the file of `password_file`: there is no such file
      --> vestibule.toml:11:53
       |
    11 | X-D = { basic = { username = ************************************
       |                                                     ^^^^^^^^^ read as `nowhere`

    error: `basic` must be a table: `basic`, not a string
      --> vestibule.toml:12:17
       |
    12 | X-E = { basic = ***************
       |                 ^^^^^^^^^^^^^

    the configuration has 5 faults
    "#);
}

#[test]
fn faults_of_headers_that_two_keys_set() {
    insta::assert_snapshot!(headers(r#"
set = { X-Forwarded-User = { claim = "email" }, X-Org = { value = "a" }, x-org = { value = "b" } }
"#), @r#"
    error: `x-forwarded-user` is set by `preset` as well
     --> vestibule.toml:7:9
      |
    7 | set = { X-Forwarded-User = { claim = "email" }, X-Org = { value = ********************************
      |         ^^^^^^^^^^^^^^^^ the preset is "forwarded" where none is written
      |
      = note: of two values the app would see one, and nobody could say which
      = help: write preset = "none" and name each header in `set`, or remove this one

    error: the header `x-org` is given twice
     --> vestibule.toml:7:74
      |
    7 | set = { X-Forwarded-User = { claim = "email" }, X-Org = { value = ********************************
      |                                                 -----                    ^^^^^
      |                                                 |
      |                                                 it is given here as well

    the configuration has 2 faults
    "#);
    insta::assert_snapshot!(headers(r#"
preset = "remote"
authorization = "id_token"
access_token = true


[app.headers.set]
Authorization = { basic = { username = "svc", password = "hunter2" } }
Remote-User = { claim = "email" }
X-Forwarded-Access-Token = { value = "x" }
X-Org = { value = "wiki" }
"#), @r#"
    error: `authorization` is set by `authorization` as well
      --> vestibule.toml:13:1
       |
     8 | authorization = "id_token"
       |                 ---------- this sets it
    ...
    13 | Authorization = { basic = { username = *******************************
       | ^^^^^^^^^^^^^
       |
       = note: of two values the app would see one, and nobody could say which
       = help: keep one of the two

    error: `remote-user` is set by `preset` as well
      --> vestibule.toml:14:1
       |
     7 | preset = "remote"
       |          -------- this sets it
    ...
    14 | Remote-User = { claim = "email" }
       | ^^^^^^^^^^^
       |
       = note: of two values the app would see one, and nobody could say which
       = help: write preset = "none" and name each header in `set`, or remove this one

    error: `x-forwarded-access-token` is set by `access_token` as well
      --> vestibule.toml:15:1
       |
     9 | access_token = true
       |                ---- this sets it
    ...
    15 | X-Forwarded-Access-Token = ***************
       | ^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = note: of two values the app would see one, and nobody could say which
       = help: keep one of the two

    the configuration has 3 faults
    "#);
}

#[test]
fn faults_of_headers_that_are_set_and_dropped() {
    insta::assert_snapshot!(headers(r#"
authorization = "id_token"
drop = ["X-Forwarded-Groups", "X-Org", "Authorization", "X-Debug"]
set = { X-Org = { value = "wiki" } }
"#), @r#"
    error: `x-forwarded-groups` is dropped, and `preset` sets it
     --> vestibule.toml:8:9
      |
    8 | drop = ["X-Forwarded-Groups", "X-Org", "Authorization", "X-Debug"]
      |         ^^^^^^^^^^^^^^^^^^^^
      |
      = note: a visitor's own is removed anyway where we set one
      = help: remove one of the two

    error: `x-org` is dropped, and `set` sets it
     --> vestibule.toml:8:31
      |
    8 | drop = ["X-Forwarded-Groups", "X-Org", "Authorization", "X-Debug"]
      |                               ^^^^^^^
    9 | set = { X-Org = { value = **********
      |         ----- this sets it
      |
      = note: a visitor's own is removed anyway where we set one
      = help: remove one of the two

    error: `authorization` is dropped, and `authorization` sets it
     --> vestibule.toml:8:40
      |
    7 | authorization = "id_token"
      |                 ---------- this sets it
    8 | drop = ["X-Forwarded-Groups", "X-Org", "Authorization", "X-Debug"]
      |                                        ^^^^^^^^^^^^^^^
      |
      = note: a visitor's own is removed anyway where we set one
      = help: remove one of the two

    the configuration has 3 faults
    "#);
}

#[test]
fn what_may_be_more_than_was_meant_is_a_warning() {
    let basic = "[app.headers]\nset = { Authorization = { basic = { username = \"svc\", password = \"x\" } } }\n";
    let public = "[[app.route]]\npath = \"/open/**\"\naccess= \"public\"\n"; // not taken for the app's own `access`
    let clear = "\nupstream = \"http://wiki:8080\"\n";
    assert_eq!(warnings(&format!("\n{basic}")), [""; 0]);
    assert_eq!(
        warnings(&format!("\n{basic}{public}")),
        [
            "vestibule.toml:6: `set` gives the app `authorization` on public routes too: whoever comes there is served by it"
        ]
    );
    let seen = "vestibule.toml:2: `upstream` is plain http: whoever sees the traffic has the tokens and passwords that the app \
                is given";
    for keys in [basic, "[app.headers]\naccess_token = true\n", "[app.headers]\nauthorization = \"id_token\"\n"] {
        assert_eq!(warnings(&format!("{clear}{keys}")), [seen], "{keys}");
    }
    for upstream in ["http://127.0.0.1:80", "http://[::1]:80", "https://wiki", "unix:/run/wiki.sock"] {
        let keys = format!("\nupstream = \"{upstream}\"\n[app.headers]\naccess_token = true\n");
        assert_eq!(warnings(&keys), [""; 0], "{upstream}");
    }
}

#[test]
fn a_claim_that_nobody_gives_or_vouches_for_is_a_warning() {
    let app = "\n[app.headers]\nset = { X-Phone = { claim = \"phone_number\" }, X-Name = { claim = \"name\" }, X-Mail = { claim = \"email\" } }\n";
    let warnings = |provider: &str| {
        let (app, provider) = (table("app", app, &APP), table("provider", provider, &PROVIDER));
        accepted(&format!("{app}{provider}[store]\nurl = \"memory:\"\n")).warnings
    };
    let phone = "vestibule.toml:6: `x-phone` stays empty: `phone_number` comes with the scope \"phone\", which `scopes` of \
                 company does not ask for";
    let mail =
        "vestibule.toml:6: `x-mail` has the claim `email` of company, whether or not anybody verified that address";
    assert_eq!(warnings("\n"), [phone]);
    assert_eq!(warnings("\nscopes = [\"openid\", \"profile\", \"email\", \"phone\"]\n"), [""; 0]);
    assert_eq!(warnings("\nclaims = { email = \"upn\" }\n"), [mail, phone]);
}
