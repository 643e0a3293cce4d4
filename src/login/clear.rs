//! The app's own cookies that go with a sign-in and a sign-out (`clear_cookies`).
//!
//! An app that keeps a session of its own would go on with the last person's when
//! somebody else signs in. A cookie is found by its name, path and domain (RFC 6265
//! §5.3); which domain the app has set it with is not known here, so each that it may
//! have is expired: none, the host's own name (another cookie to Chromium), and the
//! `cookie_domain`.

use cookie::Cookie;
use http::HeaderValue;

use crate::config::{
    App,
    app::{ClearCookie, Scheme},
    session::CookieReach,
};

/// `Set-Cookie` values that expire them all. Made at load.
pub(crate) fn expirations(app: &App) -> Vec<HeaderValue> {
    let host = app.public_url.host.as_str();
    // Browsers keep no `Domain` of an address or a single label.
    let own = (host.contains('.') && host.ends_with(|c: char| c.is_ascii_alphabetic())).then_some(host);
    let shared = match &app.session.cookie.reach {
        CookieReach::Siblings(domain) => Some(domain.as_str()).filter(|domain| *domain != host),
        CookieReach::App => None,
    };
    let domains = [None, own, shared];
    let wanted = |cookie: &ClearCookie, place: usize| {
        place == 0 || (domains[place].is_some() && !cookie.name.to_ascii_lowercase().starts_with("__host-"))
    };
    let all = app.sign_out.clear_cookies.iter().flat_map(|cookie| (0..domains.len()).map(move |place| (cookie, place)));
    all.filter(|(cookie, place)| wanted(cookie, *place))
        .map(|(cookie, place)| expired(cookie, domains[place], app.public_url.scheme))
        .collect()
}

fn expired(cookie: &ClearCookie, domain: Option<&str>, scheme: Scheme) -> HeaderValue {
    let mut expired = Cookie::new(&cookie.name, "");
    expired.set_path(&cookie.path);
    // Over https it reaches secure cookies too, and names with a prefix are not looked at without it.
    expired.set_secure(scheme == Scheme::Https);
    expired.set_max_age(time::Duration::ZERO);
    if let Some(domain) = domain {
        expired.set_domain(domain);
    }
    HeaderValue::try_from(expired.to_string()).expect("the configuration has tokens and plain paths only")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn of(public_url: &str, session: &str, clear: &str) -> Vec<String> {
        let text = format!(
            "{session}\n[[provider]]\nid = \"company\"\nissuer = \"https://id.example.com\"\nclient_id = \"wiki\"\n\
             [[app]]\nid = \"wiki\"\npublic_url = \"{public_url}\"\nupstream = \"http://127.0.0.1:8080\"\n\
             clear_cookies = {clear}\naccess = {{ policy = \"anyone\" }}\n"
        );
        let config = Config::parse("vestibule.toml", &text).expect("a configuration");
        expirations(&config.apps[0]).iter().map(|value| value.to_str().expect("ASCII").to_owned()).collect()
    }

    #[test]
    fn a_cookie_is_expired_under_each_domain_that_the_app_may_have_set_it_with() {
        const SID: &str = "[{ name = \"JSESSIONID\", path = \"/app\" }]";
        assert_eq!(
            of("https://wiki.example.com", "", SID),
            [
                "JSESSIONID=; Secure; Path=/app; Max-Age=0",
                "JSESSIONID=; Secure; Path=/app; Domain=wiki.example.com; Max-Age=0",
            ]
        );
        assert_eq!(
            of("https://wiki.example.com", "session.cookie_domain = \"example.com\"", SID)[2],
            "JSESSIONID=; Secure; Path=/app; Domain=example.com; Max-Age=0"
        );
        assert_eq!(of("http://localhost:1", "", SID), ["JSESSIONID=; Path=/app; Max-Age=0"]);
        assert_eq!(of("http://127.0.0.1:1", "", SID), ["JSESSIONID=; Path=/app; Max-Age=0"]);
        assert_eq!(
            of("https://wiki.example.com", "", "[{ name = \"__Host-sid\" }, { name = \"b\" }]"),
            [
                "__Host-sid=; Secure; Path=/; Max-Age=0",
                "b=; Secure; Path=/; Max-Age=0",
                "b=; Secure; Path=/; Domain=wiki.example.com; Max-Age=0",
            ]
        );
    }
}
