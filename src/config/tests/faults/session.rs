//! Faults of sessions, their cookies and their ends.

use super::*;

/// The faults of two apps below one domain with these keys.
fn siblings(session: &str, wiki: &str, notes: &str) -> String {
    let wiki = format!("\n{wiki}\n");
    let url = if notes.contains("public_url") { "" } else { "public_url = \"https://notes.example.com\"\n" };
    let notes = format!("\nid = \"notes\"\n{url}{notes}\n");
    whole(&format!(
        "[session]\n{session}\n{}{}{}",
        table("provider", "\n", &PROVIDER),
        table("app", &wiki, &APP),
        table("app", &notes, &APP)
    ))
}

/// The faults of keys of the only app, each on a line of its own.
fn an_app(keys: &str) -> String {
    app(&format!("\n{keys}\n"))
}

#[test]
fn faults_of_the_cookie_of_sessions() {
    insta::assert_snapshot!(with("[session]\ncookie_name = \"__Host-sid\""), @r#"
    error: `cookie_name` must be without a prefix
     --> vestibule.toml:2:15
      |
    2 | cookie_name = "__Host-sid"
      |               ^^^^^^^^^^^^
      |
      = note: __Host- or __Secure- is put in front by itself, as the public URL and cookie_domain have it

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(with("[session]\ncookie_name = \"my sid\""), @r#"
    error: `cookie_name` must be letters, digits, - and _, at most 64, with a letter or digit first
     --> vestibule.toml:2:15
      |
    2 | cookie_name = "my sid"
      |               ^^^^^^^^

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(with("[session]\ncookie_domain = \"co.uk\""), @r#"
    error: `cookie_domain` is a public suffix
     --> vestibule.toml:2:17
      |
    2 | cookie_domain = "co.uk"
      |                 ^^^^^^^
      |
      = note: anybody can have a name below it, so browsers keep no cookie for it as a whole
      = help: write your own domain, for example "example.co.uk"

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(with("[session]\ncookie_domain = \"localhost\""), @r#"
    error: `cookie_domain` must have a dot
     --> vestibule.toml:2:17
      |
    2 | cookie_domain = "localhost"
      |                 ^^^^^^^^^^^
      |
      = note: browsers keep no cookie for a single label
      = help: write, for example, "sso.localhost", and put the apps on or below that

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(with("[session]\ncookie_domain = \".example.com\""), @r#"
    error: `cookie_domain` must not begin with a dot
     --> vestibule.toml:2:17
      |
    2 | cookie_domain = ".example.com"
      |                 ^^^^^^^^^^^^^^
      |
      = help: write "example.com": what is below it is meant

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(with("[session]\ncookie_domain = \"10.0.0.1\""), @r#"
    error: `cookie_domain` must be a domain, not an address
     --> vestibule.toml:2:17
      |
    2 | cookie_domain = "10.0.0.1"
      |                 ^^^^^^^^^^
      |
      = note: an address has nothing below it

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(with("[session]\nsame_site = \"strict\""), @r#"
    error: `same_site` must be "lax" or "none"
     --> vestibule.toml:2:13
      |
    2 | same_site = "strict"
      |             ^^^^^^^^

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(with("[session]\npersistent = \"yes\""), @r#"
    error: `persistent` must be true or false, without quotes, not a string
     --> vestibule.toml:2:14
      |
    2 | persistent = "yes"
      |              ^^^^^

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(with("[session]\ncookie_domain = \"example.org\""), @r#"
    error: this app is not on or below example.org
      --> vestibule.toml:10:14
       |
     2 | cookie_domain = "example.org"
       |                 ------------- sessions are kept for this domain
    ...
    10 | public_url = "https://wiki.example.com"
       |              ^^^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = note: browsers would drop its session cookie, and its visitors would sign in for ever
       = help: give the app a host on or below the domain, or serve it by another Vestibule

    the configuration has 1 fault
    "#);
}

#[test]
fn faults_of_a_cookie_that_other_sites_have_over_plain_http() {
    insta::assert_snapshot!(
        an_app("public_url = \"http://localhost:8000\"\nsession = { same_site = \"none\" }"), @r#"
    error: `same_site` = "none" needs https
     --> vestibule.toml:3:25
      |
    2 | public_url = "http://localhost:8000"
      |              ----------------------- this is plain http
    3 | session = { same_site = "none" }
      |                         ^^^^^^
      |
      = note: browsers refuse SameSite=None without Secure, and Secure over plain http

    the configuration has 1 fault
    "#
    );
    let global = format!(
        "[session]\nsame_site = \"none\"\n{}{}",
        table("provider", "\n", &PROVIDER),
        table("app", "\npublic_url = \"http://localhost:8000\"\n", &APP)
    );
    insta::assert_snapshot!(whole(&global), @r#"
    error: `same_site` = "none" needs https
     --> vestibule.toml:2:13
      |
    2 | same_site = "none"
      |             ^^^^^^
    ...
    9 | public_url = "http://localhost:8000"
      |              ----------------------- this is plain http
      |
      = note: browsers refuse SameSite=None without Secure, and Secure over plain http

    the configuration has 1 fault
    "#);
}

#[test]
fn faults_of_the_session_of_one_app() {
    insta::assert_snapshot!(an_app("session = { lifetime = \"1h\" }"), @r#"
    error: `lifetime` (1h) is shorter than `idle_timeout` (8h)
     --> vestibule.toml:2:24
      |
    2 | session = { lifetime = "1h" }
      |                        ^^^^
      |
      = note: a session ends at its lifetime, used or not, so the time without use would never count
      = help: without the keys, idle_timeout is 8h and lifetime 1d

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(an_app("session = { cookie_name = \"sid\" }"), @r#"
    error: unknown key `cookie_name` in `[app.session]`
     --> vestibule.toml:2:13
      |
    2 | session = { cookie_name = "sid" }
      |             ^^^^^^^^^^^ this is a key of `[session]`

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(
        siblings("cookie_domain = \"example.com\"", "", "session = { lifetime = \"12h\" }"), @r#"
    error: `lifetime` of one app cannot differ where all apps share one session
      --> vestibule.toml:18:24
       |
     2 | cookie_domain = "example.com"
       |                 ------------- this makes one sign-in count for all of them
    ...
    18 | session = { lifetime = "12h" }
       |                        ^^^^^
       |
       = help: write it in [session], for all apps

    the configuration has 1 fault
    "#
    );
    // What is wrong with [session] is said once.
    insta::assert_snapshot!(siblings("idle_timeout = \"soon\"", "", "session = { lifetime = \"1h\" }"), @r#"
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
fn faults_of_a_callback_for_several_hosts() {
    let domain = "cookie_domain = \"example.com\"";
    insta::assert_snapshot!(siblings("", "", "callback_url = \"https://wiki.example.com/_vestibule/callback\""), @r#"
    error: `callback_url` means nothing without `cookie_domain`
      --> vestibule.toml:18:16
       |
    18 | callback_url = "https://wiki.example.com/_vestibule/callback"
       |                ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = note: the browser would not bring what a sign-in began with from this app's host to that URL's
       = help: add cookie_domain to [session], or remove callback_url and register this app's own

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(siblings(domain, "", "callback_url = \"https://id.example.com/callback\""), @r#"
    error: `callback_url` is where no app answers
      --> vestibule.toml:18:16
       |
    18 | callback_url = "https://id.example.com/callback"
       |                ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = note: the provider's answer would lead nowhere
       = help: write the callback of one of the apps: "https://wiki.example.com/_vestibule/callback" or "https://notes.example.com/_vestibule/callback"

    the configuration has 1 fault
    "#);
}

#[test]
fn a_callback_for_several_hosts_has_the_scheme_of_each_app_that_names_it() {
    let notes = "public_url = \"http://notes.example.com\"\ninsecure_http = true\n\
                 callback_url = \"https://wiki.example.com/_vestibule/callback\"";
    insta::assert_snapshot!(siblings("cookie_domain = \"example.com\"", "", notes), @r#"
    error: `callback_url` has another scheme than the `public_url` of this app
      --> vestibule.toml:19:16
       |
    17 | public_url = "http://notes.example.com"
       |              -------------------------- this is http
    18 | insecure_http = true
    19 | callback_url = "https://wiki.example.com/_vestibule/callback"
       |                ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = note: the browser would not bring what a sign-in began with from one scheme to the other
       = help: give both the same scheme

    the configuration has 1 fault
    "#);
}

#[test]
fn a_time_that_comes_with_a_later_version_is_said_to_at_an_app_too() {
    insta::assert_snapshot!(an_app("session = { recheck = \"15m\", max_staleness = \"5s\", outage_grace = \"1h\" }"), @r#"
    error: `recheck` is not in this version
     --> vestibule.toml:2:13
      |
    2 | session = { recheck = "15m", max_staleness = "5s", outage_grace = "1h" }
      |             ^^^^^^^
      |
      = help: remove it; what it is for comes with a later version

    error: `max_staleness` is not in this version
     --> vestibule.toml:2:30
      |
    2 | session = { recheck = "15m", max_staleness = "5s", outage_grace = "1h" }
      |                              ^^^^^^^^^^^^^
      |
      = help: remove it; what it is for comes with a later version

    error: `outage_grace` is not in this version
     --> vestibule.toml:2:52
      |
    2 | session = { recheck = "15m", max_staleness = "5s", outage_grace = "1h" }
      |                                                    ^^^^^^^^^^^^
      |
      = help: remove it; what it is for comes with a later version

    the configuration has 3 faults
    "#);
}

#[test]
fn the_callback_is_no_sign_out() {
    insta::assert_snapshot!(an_app("callback_path = \"/cb\"\nlogout_paths = [\"/cb\"]"), @r#"
    error: this path of `logout_paths` is the `callback_path`
     --> vestibule.toml:3:17
      |
    3 | logout_paths = ["/cb"]
      |                 ^^^^^
      |
      = note: sign-ins end there: no request to it reaches the app
      = help: write the path at which the app itself signs people out

    the configuration has 1 fault
    "#);
}

#[test]
fn faults_of_signing_out() {
    insta::assert_snapshot!(an_app("logout_paths = [\"logout\", \"/a;b\"]"), @r#"
    error: `logout_paths` must start with a slash
     --> vestibule.toml:2:17
      |
    2 | logout_paths = ["logout", "/a;b"]
      |                 ^^^^^^^^
      |
      = help: write "/logout"

    error: `logout_paths` must not contain `;`
     --> vestibule.toml:2:27
      |
    2 | logout_paths = ["logout", "/a;b"]
      |                           ^^^^^^
      |
      = note: some servers cut a segment there, so such a path never has one reading

    the configuration has 2 faults
    "#);
    insta::assert_snapshot!(an_app("post_logout_url = \"/goodbye\""), @r#"
    error: `post_logout_url` must be a URL that starts with https:// or http://
     --> vestibule.toml:2:19
      |
    2 | post_logout_url = "/goodbye"
      |                   ^^^^^^^^^^

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(an_app("post_logout_urls = [\"https://www.example.com/#bye\"]"), @r#"
    error: `post_logout_urls` must have no fragment
     --> vestibule.toml:2:21
      |
    2 | post_logout_urls = ["https://www.example.com/#bye"]
      |                     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = note: it would be lost on the way through the provider

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(an_app("clear_cookies = [\"JSESSIONID\"]"), @r#"
    error: `clear_cookies` must be a list of cookies, each in braces: { name = "…", path = "/" }, not a string
     --> vestibule.toml:2:18
      |
    2 | clear_cookies = ["JSESSIONID"]
      |                  ^^^^^^^^^^^^

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(an_app("clear_cookies = [{ path = \"/\" }]"), @r#"
    error: `name` is missing in a cookie of `clear_cookies`
     --> vestibule.toml:2:18
      |
    2 | clear_cookies = [{ path = "/" }]
      |                  ^^^^^^^^^^^^^^
      |
      = help: write, for example: name = "JSESSIONID"

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(an_app("clear_cookies = [{ name = \"a=b\" }, { name = \"a\", path = \"x\" }]"), @r#"
    error: `name` must be the name of a cookie alone
     --> vestibule.toml:2:27
      |
    2 | clear_cookies = [{ name = "a=b" }, { name = "a", path = "x" }]
      |                           ^^^^^
      |
      = help: write, for example, "JSESSIONID", and its path beside it

    error: `path` must be the Path that the app sets the cookie with
     --> vestibule.toml:2:57
      |
    2 | clear_cookies = [{ name = "a=b" }, { name = "a", path = "x" }]
      |                                                         ^^^
      |
      = help: write, for example, "/" or "/wiki"

    the configuration has 2 faults
    "#);
    insta::assert_snapshot!(an_app("clear_cookies = [{ name = \"a\" }, { name = \"a\" }]"), @r#"
    error: the cookie `a /` is given twice
     --> vestibule.toml:2:43
      |
    2 | clear_cookies = [{ name = "a" }, { name = "a" }]
      |                           ---             ^^^
      |                           |
      |                           it is given here as well

    the configuration has 1 fault
    "#);
    insta::assert_snapshot!(an_app("clear_cookies = [{ name = \"__Host-vestibule\" }]"), @r#"
    error: `__Host-vestibule` is a cookie of ours
     --> vestibule.toml:2:27
      |
    2 | clear_cookies = [{ name = "__Host-vestibule" }]
      |                           ^^^^^^^^^^^^^^^^^^
      |
      = note: it would go at the very moment when somebody has signed in
      = help: name the app's own cookies here; ours goes at a sign-out by itself

    the configuration has 1 fault
    "#);
}
