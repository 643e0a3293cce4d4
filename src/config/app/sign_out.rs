//! What signing out of an app includes, and where it may lead.

use url::Url;

use crate::config::{
    access::PathPattern,
    app::Draft,
    fault::{Fault, Report, quoted},
    location,
    section::{Placed, Reading, Section, Unique, Wrong},
    session::{CookieReach, DEFAULT_NAME},
};

/// The app's keys about signing out.
#[derive(Clone, Debug, Default)]
pub struct SignOut {
    /// `logout_paths`: the app's own sign-out, which ends our session too.
    pub paths: Vec<PathPattern>,
    /// `clear_cookies`: the app's own cookies that go at every sign-in and sign-out.
    pub clear_cookies: Vec<ClearCookie>,
    /// `post_logout_url`: where a sign-out leads that asks for nothing else; `None` = our own page.
    pub default_url: Option<Url>,
    /// `post_logout_urls`: where else it may ask to be led.
    pub further_urls: Vec<Url>,
}

/// A cookie of the app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClearCookie {
    /// Its name, as the app spells it.
    pub name: String,
    /// Its `Path`.
    pub path: String,
}

/// Reads them; `cookie_name` is what our own cookies are called, `callback` the app's `callback_path`.
pub(super) fn read(section: &Section<'_>, cookie_name: Option<&str>, callback: Option<&str>) -> Reading<SignOut> {
    let paths = read_paths(section, callback);
    let clear_cookies: Vec<_> =
        section.tables("clear_cookies", "app.clear_cookies", |section| read_clear_cookie(section, cookie_name));
    let default_url = section.optional("post_logout_url", parse_destination);
    let further_urls = section.list("post_logout_urls", parse_destination);
    let clear_cookies = clear_cookies.into_iter().collect::<Reading<Vec<_>>>()?;
    let mut unique = Unique::new("the cookie");
    let claims: Vec<_> = clear_cookies
        .iter()
        .map(|cookie| unique.claim(section.report(), &format!("{} {}", cookie.name, cookie.path), cookie.place))
        .collect();
    claims.into_iter().collect::<Reading<()>>()?;
    Ok(SignOut {
        paths: values(paths?),
        clear_cookies: clear_cookies.into_iter().map(|cookie| cookie.value).collect(),
        default_url: default_url?.map(|url| url.value),
        further_urls: values(further_urls?),
    })
}

fn read_paths(section: &Section<'_>, callback: Option<&str>) -> Reading<Option<Vec<Placed<PathPattern>>>> {
    let paths = section.list("logout_paths", PathPattern::parse)?;
    let mut outcome = Ok(());
    for path in paths.iter().flatten() {
        if callback.is_some_and(|callback| path.to_string() == callback) {
            outcome = Err(section.report().add(
                Fault::at(path.place, "this path of `logout_paths` is the `callback_path`")
                    .why("sign-ins end there: no request to it reaches the app")
                    .help("write the path at which the app itself signs people out"),
            ));
        }
        if path.segments.is_empty() && path.and_below {
            section.report().warn(
                Some(path.place),
                "`logout_paths` has the whole app: the first page that it answers with signs its visitor out",
            );
        }
    }
    outcome.map(|()| paths)
}

/// Warns of cookies that go at a sign-in, where a sign-in elsewhere counts as well.
pub(in crate::config) fn warn_of_sign_ins_elsewhere(report: &Report, apps: &[Draft]) {
    let is_shared = |draft: &&Draft| matches!(draft.app.session.cookie.reach, CookieReach::Siblings(_));
    for draft in apps.iter().filter(is_shared).filter(|_| apps.len() > 1) {
        if let Some(place) = draft.clear_cookies {
            report.warn(
                Some(place),
                "`clear_cookies` does not keep people apart here: with `cookie_domain` a sign-in at another app counts at \
                 this one, and cannot expire the cookies that only this app's host sees. Whoever signs in there next is \
                 met here by the last one's session of the app, unless the app itself goes by the identity headers",
            );
        }
    }
}

fn values<T>(list: Option<Vec<Placed<T>>>) -> Vec<T> {
    list.unwrap_or_default().into_iter().map(|placed| placed.value).collect()
}

fn read_clear_cookie(section: &Section<'_>, cookie_name: Option<&str>) -> Reading<Placed<ClearCookie>> {
    let name = section.required("name", "\"JSESSIONID\"", parse_cookie_name);
    let path = section.optional("path", parse_cookie_path);
    let (name, path) = (name?, path?);
    if is_ours(&name, cookie_name.unwrap_or(DEFAULT_NAME)) {
        return Err(section.report().add(
            Fault::at(name.place, format!("`{}` is a cookie of ours", quoted(&name)))
                .why("it would go at the very moment when somebody has signed in")
                .help("name the app's own cookies here; ours goes at a sign-out by itself"),
        ));
    }
    let path = path.map_or_else(|| "/".to_owned(), |path| path.value);
    Ok(Placed { value: ClearCookie { name: name.value, path }, place: name.place })
}

/// Whether a name is one that we set, or could be taken for one.
fn is_ours(name: &str, cookie_name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let prefixes = ["__host-http-", "__host-", "__secure-", "__http-"];
    let bare = prefixes.iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(&name);
    let begins = |family: &str| bare.strip_prefix(family).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
    begins(DEFAULT_NAME) || begins(&cookie_name.to_ascii_lowercase())
}

/// A token (RFC 6265 §4.1.1): browsers and servers agree about these only.
fn parse_cookie_name(text: &str) -> Result<String, Wrong> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if text.bytes().all(is_token) {
        return Ok(text.to_owned());
    }
    Err(Wrong::new("must be the name of a cookie alone")
        .help("write, for example, \"JSESSIONID\", and its path beside it"))
}

fn parse_cookie_path(text: &str) -> Result<String, Wrong> {
    let plain = |byte: u8| (b'!'..=b'~').contains(&byte) && byte != b';';
    if text.starts_with('/') && text.bytes().all(plain) {
        return Ok(text.to_owned());
    }
    Err(Wrong::new("must be the Path that the app sets the cookie with").help("write, for example, \"/\" or \"/wiki\""))
}

/// An absolute URL; unlike most others it may have a query.
fn parse_destination(text: &str) -> Result<Url, Wrong> {
    let (before_query, query) = text.split_once('?').map_or((text, None), |(url, query)| (url, Some(query)));
    if text.contains('#') {
        return Err(Wrong::new("must have no fragment").why("it would be lost on the way through the provider"));
    }
    let mut url = location::parse_url(before_query)?;
    if query.is_some_and(|query| !query.bytes().all(|byte| (b'!'..=b'~').contains(&byte))) {
        return Err(Wrong::new("must have a query of plain ASCII, without spaces"));
    }
    url.set_query(query);
    Ok(url)
}
