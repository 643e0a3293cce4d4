//! Sessions, their cookies and their ends: what the keys mean together.

use super::*;
use crate::config::app::ClearCookie;

/// Two apps below one domain, `session` before them and keys of each.
fn siblings(session: &str, wiki: &str, notes: &str) -> Config {
    accepted(&format!(
        r#"
[session]
{session}
[[provider]]
id = "company"
issuer = "https://id.example.com"
client_id = "wiki"

[[app]]
id = "wiki"
public_url = "https://wiki.example.com"
upstream = "http://127.0.0.1:8080"
access = {{ policy = "anyone" }}
{wiki}

[[app]]
id = "notes"
public_url = "https://notes.example.com"
upstream = "http://127.0.0.1:8081"
access = {{ policy = "anyone" }}
{notes}
"#
    ))
}

#[test]
fn an_app_may_have_other_times_and_cookies_than_the_rest() {
    let config = siblings(
        "idle_timeout = \"1h\"\ncookie_name = \"Sid\"\npersistent = true",
        "",
        "session = { lifetime = \"30d\", persistent = false, same_site = \"none\" }",
    );
    let [wiki, notes] = [0, 1].map(|place| &config.apps[place].session);
    let times = |idle, lifetime| SessionTimes { idle_timeout: Duration::from_hours(idle), lifetime };
    assert_eq!(wiki.times, times(1, Duration::from_hours(24)));
    assert_eq!(notes.times, times(1, Duration::from_hours(30 * 24)));
    assert_eq!(config.session.longest, notes.times);
    assert_eq!((wiki.cookie.persistence, wiki.cookie.same_site), (Persistence::ForLifetime, SameSite::Lax));
    assert_eq!((notes.cookie.persistence, notes.cookie.same_site), (Persistence::UntilBrowserCloses, SameSite::None));
    assert!([wiki, notes].iter().all(|session| session.cookie.name == "Sid"));
}

#[test]
fn a_shared_cookie_is_warned_of_with_what_it_hands_out() {
    let config = siblings("cookie_domain = \"example.com\"", "", "");
    let reach = CookieReach::Siblings("example.com".to_owned());
    assert!(config.apps.iter().all(|app| app.session.cookie.reach == reach));
    let warnings: Vec<_> = config.warnings.iter().filter(|warning| warning.contains("cookie_domain")).collect();
    insta::assert_snapshot!(warnings[0], @"vestibule.toml:3: `cookie_domain` hands every visitor's session to each host on or below example.com, and lets each of them plant one: whoever runs any of these hosts can act as any visitor");
    assert_eq!(warnings.len(), 1);
}

#[test]
fn one_callback_serves_several_apps_the_one_that_answers_there_among_them() {
    let callback = "https://wiki.example.com/_vestibule/callback";
    for (wiki, notes) in
        [("", format!("callback_url = {callback:?}")), (&*format!("callback_url = {callback:?}"), String::new())]
    {
        let config = siblings("cookie_domain = \"example.com\"", wiki, &notes);
        let [wiki, notes_app] = [0, 1].map(|place| &config.apps[place]);
        assert_eq!(wiki.redirect_uri("/_vestibule"), callback);
        assert!(wiki.shared_callback.is_some());
        let own = "https://notes.example.com/_vestibule/callback";
        assert_eq!(notes_app.redirect_uri("/_vestibule"), if notes.is_empty() { own } else { callback });
        assert_eq!(notes_app.shared_callback.is_some(), !notes.is_empty());
    }
}

#[test]
fn what_goes_with_a_sign_out_is_kept_as_it_is_written() {
    let config = siblings(
        "",
        "logout_paths = [\"/logout\", \"/user/*/exit\"]\n\
         clear_cookies = [{ name = \"JSESSIONID\", path = \"/app\" }, { name = \"remember_me\" }]\n\
         post_logout_url = \"https://www.example.com/bye?from=wiki\"\n\
         post_logout_urls = [\"https://www.example.com/\", \"http://intranet\"]",
        "",
    );
    let sign_out = &config.apps[0].sign_out;
    let paths: Vec<_> = sign_out.paths.iter().map(ToString::to_string).collect();
    assert_eq!(paths, ["/logout", "/user/*/exit"]);
    let cookie = |name: &str, path: &str| ClearCookie { name: name.to_owned(), path: path.to_owned() };
    assert_eq!(sign_out.clear_cookies, [cookie("JSESSIONID", "/app"), cookie("remember_me", "/")]);
    assert_eq!(sign_out.default_url.as_ref().map(url::Url::as_str), Some("https://www.example.com/bye?from=wiki"));
    let further: Vec<_> = sign_out.further_urls.iter().map(url::Url::as_str).collect();
    assert_eq!(further, ["https://www.example.com/", "http://intranet/"]);
}

#[test]
fn cookies_that_a_sign_in_elsewhere_cannot_clear_are_warned_of() {
    let told = |session: &str, wiki: &str| {
        let warnings = siblings(session, wiki, "").warnings;
        warnings.into_iter().filter(|warning| warning.contains("clear_cookies")).collect::<Vec<_>>()
    };
    let (shared, cookies) = ("cookie_domain = \"example.com\"", "clear_cookies = [{ name = \"JSESSIONID\" }]");
    let warnings = told(shared, cookies);
    assert!(
        warnings[0].starts_with("vestibule.toml:14: `clear_cookies` does not keep people apart here"),
        "{warnings:?}"
    );
    assert_eq!(warnings.len(), 1);
    assert!(told("", cookies).is_empty());
    assert!(told(shared, "clear_cookies = []").is_empty());
}

#[test]
fn a_sign_out_that_is_the_whole_app_is_warned_of() {
    let warned = |path: &str| {
        let warnings = siblings("", &format!("logout_paths = [{path:?}]"), "").warnings;
        warnings.iter().any(|warning| warning.contains("`logout_paths` has the whole app"))
    };
    assert!(warned("/**"));
    assert!(!warned("/logout/**"));
    assert!(!warned("/"));
}
