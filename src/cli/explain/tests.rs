use clap::Parser;

use super::*;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    explain: Explain,
}

const CONFIGURATION: &str = r#"[[provider]]
id = "company"
issuer = "https://id.example.com"
client_id = "wiki"

[[app]]
id = "wiki"
public_url = "https://wiki.example.com"
upstream = "http://127.0.0.1:8080"

[app.access]
policy = "listed"
allow = [
  { email_domain = "example.com" },
  { claim = "amr", is = "mfa" },
]
deny = [{ email = "gone@example.com" }, { ip = "198.51.100.0/24" }]

[[app.route]]
path = "/public/**"
methods = ["GET"]
access = "public"

[[app.route]]
path = "/Admin/**"
access = { allow = [{ group = "ops" }], deny = [{ email = "ann@example.com" }] }

[[app.route]]
path = "/start"
access = "optional"

[[app.route]]
path = "/talk/**"
access = "anyone"
"#;

fn ask(configuration: &str, line: &str) -> Result<String, String> {
    let config = Config::parse("vestibule.toml", configuration).unwrap_or_else(|faults| panic!("{faults}"));
    let words = ["explain", "--app", "wiki"].into_iter().chain(line.split(' '));
    let line = Line::try_parse_from(words).map_err(|error| error.to_string())?;
    line.explain.answer(&config)
}

fn explain(line: &str) -> String {
    ask(CONFIGURATION, line).unwrap_or_else(|wrong| panic!("{line}: {wrong}"))
}

#[test]
fn a_path_that_a_route_opens() {
    insta::assert_snapshot!(explain("GET /public/logo.png?v=2"), @r#"
    app       wiki at https://wiki.example.com
    request   GET /public/logo.png?v=2
    forwarded /public/logo.png?v=2
    reading   1: /public/logo.png (the only way to read the path)
    route     vestibule.toml:19: `/public/**` for GET, open to everybody
                decides for reading 1
    visitor   nobody is signed in, from 127.0.0.1
    asked     nothing
    outcome   it passes, whoever sends it, without identity headers
    to change vestibule.toml:19 opens this; take it away to ask for a sign-in
    "#);
    insta::assert_snapshot!(explain("GET https://wiki.example.com/start"), @r#"
    app       wiki at https://wiki.example.com
    request   GET /start
    forwarded /start
    reading   1: /start (the only way to read the path)
    route     vestibule.toml:28: `/start`, open to everybody, with the identity of whom the policy admits
                decides for reading 1
    visitor   nobody is signed in, from 127.0.0.1
    asked     nothing; known is whom the policy "listed" admits (vestibule.toml:12)
    outcome   it passes without identity headers: nobody is known whom the policy admits
    to change vestibule.toml:28 opens this; take it away to ask for a sign-in
    "#);
    insta::assert_snapshot!(explain("--as bob@example.com GET /start"), @r#"
    app       wiki at https://wiki.example.com
    request   GET /start
    forwarded /start
    reading   1: /start (the only way to read the path)
    route     vestibule.toml:28: `/start`, open to everybody, with the identity of whom the policy admits
                decides for reading 1
    visitor   bob@example.com, in no group, signed in with the provider company, from 127.0.0.1
    asked     nothing; known is whom the policy "listed" admits (vestibule.toml:12)
                yes: `allow` has { email_domain = "example.com" } (vestibule.toml:14)
    outcome   it passes, with identity headers
    to change `deny`, in [app.access] or in a route's table, keeps single people out
    "#);
}

#[test]
fn a_path_that_readings_disagree_about() {
    insta::assert_snapshot!(explain("GET /public/..%2fadmin"), @r#"
    app       wiki at https://wiki.example.com
    request   GET /public/..%2fadmin
    forwarded /public/..%2fadmin
    reading   1: /public/..%2fadmin (as it is sent)
              2: /admin (to servers that decode, cut at `;` or take `\` for `/`)
    route     vestibule.toml:19: `/public/**` for GET, open to everybody
                matches reading 1 only, and a route opens what every reading matches
              vestibule.toml:24: `/Admin/**`, for some of those whom the policy admits
                holds for reading 2, which some servers take for its path; what follows holds, too
              no route decides for readings 1, 2: [app.access] does
    visitor   nobody is signed in, from 127.0.0.1
    asked     what the policy "listed" asks (vestibule.toml:12)
              what the route `/Admin/**` asks (vestibule.toml:24)
    outcome   a navigation is sent to sign in, anything else is answered with 401
    to change vestibule.toml:19 opens it only where every reading of the path matches it
    "#);
    insta::assert_snapshot!(explain("--as bob@example.com --group ops GET /public/..%2fadmin"), @r#"
    app       wiki at https://wiki.example.com
    request   GET /public/..%2fadmin
    forwarded /public/..%2fadmin
    reading   1: /public/..%2fadmin (as it is sent)
              2: /admin (to servers that decode, cut at `;` or take `\` for `/`)
    route     vestibule.toml:19: `/public/**` for GET, open to everybody
                matches reading 1 only, and a route opens what every reading matches
              vestibule.toml:24: `/Admin/**`, for some of those whom the policy admits
                holds for reading 2, which some servers take for its path; what follows holds, too
              no route decides for readings 1, 2: [app.access] does
    visitor   bob@example.com, in `ops`, signed in with the provider company, from 127.0.0.1
    asked     what the policy "listed" asks (vestibule.toml:12)
                yes: `allow` has { email_domain = "example.com" } (vestibule.toml:14)
              what the route `/Admin/**` asks (vestibule.toml:24)
                yes: `allow` has { group = "ops" } (vestibule.toml:26)
    outcome   it passes, with identity headers
    to change `deny`, in [app.access] or in a route's table, keeps single people out
    "#);
    insta::assert_snapshot!(explain("--as bob@example.com GET /admin"), @r#"
    app       wiki at https://wiki.example.com
    request   GET /admin
    forwarded /admin
    reading   1: /admin (the only way to read the path)
    route     vestibule.toml:24: `/Admin/**`, for some of those whom the policy admits
                holds for reading 1, which some servers take for its path; what follows holds, too
              no route decides for reading 1: [app.access] does
    visitor   bob@example.com, in no group, signed in with the provider company, from 127.0.0.1
    asked     what the policy "listed" asks (vestibule.toml:12)
                yes: `allow` has { email_domain = "example.com" } (vestibule.toml:14)
              what the route `/Admin/**` asks (vestibule.toml:24)
                no: nothing of `allow` matches
    outcome   403, for the reason `not_listed_for_route`
    to change add { email = "bob@example.com" } to the route's `allow` (vestibule.toml:24)
    "#);
}

#[test]
fn people_who_may_not_pass() {
    insta::assert_snapshot!(explain("--as eve@elsewhere.example GET /wiki"), @r#"
    app       wiki at https://wiki.example.com
    request   GET /wiki
    forwarded /wiki
    reading   1: /wiki (the only way to read the path)
    route     no route decides for reading 1: [app.access] does
    visitor   eve@elsewhere.example, in no group, signed in with the provider company, from 127.0.0.1
    asked     what the policy "listed" asks (vestibule.toml:12)
                no: nothing of `allow` matches
    outcome   403, for the reason `not_listed`
    to change add { email = "eve@elsewhere.example" } to `allow` in [app.access] (vestibule.toml:12)
    "#);
    insta::assert_snapshot!(explain("--as gone@example.com POST /public/form"), @r#"
    app       wiki at https://wiki.example.com
    request   POST /public/form
    forwarded /public/form
    reading   1: /public/form (the only way to read the path)
    route     no route decides for reading 1: [app.access] does
    visitor   gone@example.com, in no group, signed in with the provider company, from 127.0.0.1
    asked     what the policy "listed" asks (vestibule.toml:12)
                no: `deny` has { email = "gone@example.com" } (vestibule.toml:17)
    outcome   403, for the reason `denied`
    to change take the condition of `deny` away that matches
    "#);
    insta::assert_snapshot!(explain("--as ann@example.com --group ops GET /Admin/users"), @r#"
    app       wiki at https://wiki.example.com
    request   GET /Admin/users
    forwarded /Admin/users
    reading   1: /Admin/users (as it is sent)
              2: /admin/users (to those of them, or others, for whom case does not matter)
    route     vestibule.toml:24: `/Admin/**`, for some of those whom the policy admits
                decides for readings 1, 2
    visitor   ann@example.com, in `ops`, signed in with the provider company, from 127.0.0.1
    asked     what the policy "listed" asks (vestibule.toml:12)
                yes: `allow` has { email_domain = "example.com" } (vestibule.toml:14)
              what the route `/Admin/**` asks (vestibule.toml:24)
                no: `deny` has { email = "ann@example.com" } (vestibule.toml:26)
    outcome   403, for the reason `denied_by_route`
    to change take the condition of the route's `deny` away that matches (vestibule.toml:24)
    "#);
    insta::assert_snapshot!(explain("--as bob@example.com --ip 198.51.100.7 GET /"), @r#"
    app       wiki at https://wiki.example.com
    request   GET /
    forwarded /
    reading   1: / (the only way to read the path)
    route     no route decides for reading 1: [app.access] does
    visitor   bob@example.com, in no group, signed in with the provider company, from 198.51.100.7
    asked     what the policy "listed" asks (vestibule.toml:12)
                no: `deny` has { ip = "198.51.100.0/24" } (vestibule.toml:17)
    outcome   403, for the reason `denied`
    to change take the condition of `deny` away that matches
    "#);
    let unverified = CONFIGURATION.replace("client_id = \"wiki\"", "client_id = \"wiki\"\ntrust_email = \"never\"");
    let never = unverified
        .replace("{ email_domain = \"example.com\" },", "")
        .replace("email = \"gone@example.com\"", "group = \"x\"");
    let never = never.replace("email = \"ann@example.com\"", "group = \"y\"");
    insta::assert_snapshot!(ask(&never, "--as bob@example.com --claim amr=pwd --claim amr=mfa GET /").expect("an answer"), @r#"
    app       wiki at https://wiki.example.com
    request   GET /
    forwarded /
    reading   1: / (the only way to read the path)
    route     no route decides for reading 1: [app.access] does
    visitor   bob@example.com, which does not count (trust_email), in no group, signed in with the provider company, from 127.0.0.1
    asked     what the policy "listed" asks (vestibule.toml:13)
                yes: `allow` has { claim = "amr", is = "mfa" } (vestibule.toml:16)
    outcome   it passes, with identity headers
    to change `deny`, in [app.access] or in a route's table, keeps single people out
    "#);
}

#[test]
fn people_who_may() {
    insta::assert_snapshot!(explain("--issuer https://id.example.com --subject 7 GET /talk/x"), @r#"
    app       wiki at https://wiki.example.com
    request   GET /talk/x
    forwarded /talk/x
    reading   1: /talk/x (the only way to read the path)
    route     vestibule.toml:32: `/talk/**`, for anyone who signs in
                decides for reading 1
    visitor   without an address, in no group, signed in with the provider company, from 127.0.0.1
    asked     what the policy "anyone" asks (vestibule.toml:32)
                yes: nothing of `deny` matches, and no more is asked
    outcome   it passes, with identity headers
    to change `deny`, in [app.access] or in a route's table, keeps single people out
    "#);
    insta::assert_snapshot!(explain("--group x --claim amr=mfa GET /wiki"), @r#"
    app       wiki at https://wiki.example.com
    request   GET /wiki
    forwarded /wiki
    reading   1: /wiki (the only way to read the path)
    route     no route decides for reading 1: [app.access] does
    visitor   without an address, in `x`, signed in with the provider company, from 127.0.0.1
    asked     what the policy "listed" asks (vestibule.toml:12)
                yes: `allow` has { claim = "amr", is = "mfa" } (vestibule.toml:15)
    outcome   it passes, with identity headers
    to change `deny`, in [app.access] or in a route's table, keeps single people out
    "#);
}

#[test]
fn what_no_rule_is_asked_about() {
    insta::assert_snapshot!(explain("GET /_vestibule/start"), @r#"
    app       wiki at https://wiki.example.com
    request   GET /_vestibule/start
    forwarded /_vestibule/start
    reading   1: /_vestibule/start (the only way to read the path)
    outcome   one of Vestibule's own endpoints; no rule is asked
    "#);
    insta::assert_snapshot!(explain("GET /_VESTIBULE/start"), @r#"
    app       wiki at https://wiki.example.com
    request   GET /_VESTIBULE/start
    forwarded /_VESTIBULE/start
    reading   1: /_VESTIBULE/start (as it is sent)
              2: /_vestibule/start (to those of them, or others, for whom case does not matter)
    outcome   400: the path leads to the sign-in endpoints only in some readings; no rule is asked
    "#);
    insta::assert_snapshot!(explain("GET /a/%00"), @r#"
    app       wiki at https://wiki.example.com
    request   GET /a/%00
    outcome   400: the path holds an escaped NUL; no rule is asked
    "#);
}

#[test]
fn a_question_that_makes_no_sense_is_told_what_would() {
    let several = CONFIGURATION.replace(
        "[[app]]\nid = \"wiki\"",
        "[[provider]]\nid = \"partner\"\nissuer = \"https://login.partner.example\"\nclient_id = \"x\"\n[[app]]\nid = \"wiki\"\n\
         providers = [\"company\", \"partner\"]",
    );
    let several = several
        .replace("{ claim = \"amr\", is = \"mfa\" },", "")
        .replace("{ group = \"ops\" }", "{ email = \"a@b.c\" }");
    for (configuration, line, part) in [
        (CONFIGURATION, "--app docs GET /", "cannot be used multiple times"),
        (CONFIGURATION, "GET https://other.example/x", "other.example is no host of the app wiki: wiki.example.com"),
        (CONFIGURATION, "GET x", "no host of the app"),
        (CONFIGURATION, "GET /%C3%A9 extra", "unexpected argument"),
        (CONFIGURATION, "G@T /", "invalid value"),
        (CONFIGURATION, "--as nobody GET /", "invalid value"),
        (CONFIGURATION, "--claim amr GET /", "write NAME=VALUE"),
        (CONFIGURATION, "--issuer https://id.example.com GET /", "--subject"),
        (CONFIGURATION, "--issuer https://id.example.com/ --subject 7 GET /", "company (https://id.example.com)"),
        (
            CONFIGURATION,
            "--provider company --issuer http://evil.example --subject 7 GET /",
            "(both must fit); the providers of wiki are: company (https://id.example.com)",
        ),
        (CONFIGURATION, "--provider company GET /", "add --as, --issuer or --group"),
        (
            &several,
            "--as ann@example.com GET /",
            "company (https://id.example.com), partner (https://login.partner.example)",
        ),
    ] {
        let wrong = ask(configuration, line).expect_err(line);
        assert!(wrong.contains(part), "{line}: {wrong}");
    }
    let config = Config::parse("vestibule.toml", CONFIGURATION).expect("a configuration");
    let line = Line::try_parse_from(["explain", "--app", "docs", "GET", "/"]).expect("a line");
    assert_eq!(line.explain.answer(&config), Err("there is no app `docs`; the apps are: wiki".to_owned()));
    assert!(ask(&several, "--as ann@example.com --provider partner GET /").is_ok());
}

#[test]
fn a_path_that_an_app_below_a_path_has_or_not() {
    let intranet = CONFIGURATION.replace("https://wiki.example.com\"", "https://example.com/wiki\"\nstrip_path = true")
        + "[[app]]\nid = \"portal\"\npublic_url = \"https://example.com\"\nupstream = \"http://127.0.0.1:1\"\n\
           access = { policy = \"anyone\" }\n";
    let intranet = |line: &str| ask(&intranet, line).unwrap_or_else(|wrong| panic!("{line}: {wrong}"));
    insta::assert_snapshot!(intranet("GET https://example.com/wiki/public/a?b"), @r"
    app       wiki at https://example.com/wiki
    request   GET /wiki/public/a?b
    forwarded /public/a?b
    reading   1: /public/a (the only way to read the path)
    route     vestibule.toml:20: `/public/**` for GET, open to everybody
                decides for reading 1
    visitor   nobody is signed in, from 127.0.0.1
    asked     nothing
    outcome   it passes, whoever sends it, without identity headers
    to change vestibule.toml:20 opens this; take it away to ask for a sign-in
    ");
    for (url, outcome) in [
        ("/page", "a request to the app portal; no rule is asked"),
        ("/wiki/_vestibule/start", "one of Vestibule's own endpoints; no rule is asked"),
        ("/wiki/..%2fpage", "400: the path leads to different apps in different readings; no rule is asked"),
        ("/wiki/../page", "400: the path climbs out of the root or out of the app's path; no rule is asked"),
    ] {
        let told = intranet(&format!("GET {url}"));
        assert!(told.ends_with(&format!("outcome   {outcome}\n")), "{url}: {told}");
    }
    let alone = CONFIGURATION.replace("https://wiki.example.com\"", "https://example.com/wiki\"");
    let told = ask(&alone, "GET /page").unwrap_or_else(|wrong| panic!("{wrong}"));
    assert!(told.ends_with("outcome   421: no app of this host has this path; no rule is asked\n"), "{told}");
}

#[test]
fn somebody_who_is_not_signed_in_is_answered_by_method_and_route() {
    let outcome = |line: &str, part: &str| {
        let told = ask(&format!("{CONFIGURATION}on_anonymous = \"unauthorized\"\n"), line);
        assert!(told.as_ref().is_ok_and(|told| told.contains(&format!("\noutcome   {part}"))), "{line}: {told:?}");
    };
    outcome("GET /wiki", "a navigation is sent to sign in");
    outcome("HEAD /wiki", "a navigation is sent to sign in");
    outcome("POST /wiki", "401: a redirect to sign in would lose");
    outcome("GET /talk/x", "401, for navigations too (on_anonymous)");
    let told = ask(&format!("{CONFIGURATION}on_anonymous = \"redirect\"\n"), "GET /talk/x").expect("an answer");
    assert!(told.contains("outcome   whatever may be a navigation is sent to sign in (on_anonymous)"), "{told}");
}

#[test]
fn what_is_answered_before_any_rule_is_told() {
    let health = format!("server.health_path = \"/healthz\"\n{CONFIGURATION}");
    let told = |configuration: &str, line: &str| ask(configuration, line).unwrap_or_else(|wrong| panic!("{wrong}"));
    let probe = told(&health, "GET /healthz");
    assert!(probe.contains("outcome   200, or 503 when stopping: the path is `health_path`"), "{probe}");
    assert!(told(&health, "POST /healthz").contains("outcome   405: the path is `health_path`"));
    assert!(!told(&health, "GET /healthz/x").contains("health_path"));
    let forward = CONFIGURATION.replace("upstream =", "cors_preflight = \"forward\"\nupstream =");
    let options = told(&forward, "OPTIONS /wiki");
    assert!(options.contains("\npreflight passes to the app without identity (cors_preflight)"), "{options}");
    assert!(options.contains("\noutcome   401"), "{options}");
    assert!(!told(&forward, "GET /wiki").contains("preflight"));
    assert!(!explain("OPTIONS /wiki").contains("preflight"));
}
