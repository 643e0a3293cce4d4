//! `[app.session]`, and what the cookie of an app follows from: its public URL beside `[session]`.

use crate::config::{
    SessionTimes,
    app::{PublicUrl, Scheme},
    fault::{Fault, Report},
    section::{Placed, Reading, Section},
    session::{CookieReach, Persistence, SameSite, SessionSection, read_persistence, read_same_site, read_times},
};

/// What `[app.session]` has, none of which an app can have alone where all share one session.
const KEYS: [&str; 4] = ["idle_timeout", "lifetime", "persistent", "same_site"];

/// `[app.session]` over `[session]`
#[derive(Clone, Debug)]
pub struct AppSession {
    /// How long a session lives.
    pub times: SessionTimes,
    /// How the browser keeps it.
    pub cookie: SessionCookie,
}

/// The cookie of an app's session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionCookie {
    /// `cookie_name`, without the prefix that browsers know.
    pub name: String,
    /// Which hosts it goes to.
    pub reach: CookieReach,
    /// Which sites' pages send it.
    pub same_site: SameSite,
    /// Whether it survives the browser.
    pub persistence: Persistence,
}

/// Reads `[app.session]`.
pub(super) fn read(
    section: &Section<'_>,
    public_url: Reading<&Placed<PublicUrl>>,
    defaults: Reading<&SessionSection>,
) -> Reading<AppSession> {
    let default_times = defaults.map(|defaults| defaults.times);
    let default_site = defaults.map_or(SameSite::Lax, |defaults| defaults.cookie.same_site);
    let default_persistence = defaults.map_or(Persistence::UntilBrowserCloses, |defaults| defaults.cookie.persistence);
    let own = section.table_or_empty("session", "app.session", |section| {
        let times = read_times(section, default_times);
        let same_site = read_same_site(section, default_site);
        let persistence = read_persistence(section, default_persistence);
        let domain = defaults.ok().and_then(|defaults| defaults.cookie.domain.as_ref());
        if let Some((domain, key)) = domain.zip(KEYS.iter().find(|key| section.place_of(key).is_some())) {
            return Err(section.report().add(
                section
                    .fault(&[key], format!("`{key}` of one app cannot differ where all apps share one session"))
                    .related(domain.place, "this makes one sign-in count for all of them")
                    .help("write it in [session], for all apps"),
            ));
        }
        Ok((times?, same_site?, persistence?, section.place_of("same_site")))
    });
    let (defaults, public_url) = (defaults?, public_url?);
    let (times, same_site, persistence, same_site_place) = own?;
    let report = section.report();
    if let (SameSite::None, Scheme::Http) = (same_site, public_url.scheme) {
        let place = same_site_place.or(defaults.cookie.same_site_place).unwrap_or(public_url.place);
        return Err(report.add(
            Fault::at(place, "`same_site` = \"none\" needs https")
                .related(public_url.place, "this is plain http")
                .why("browsers refuse SameSite=None without Secure, and Secure over plain http"),
        ));
    }
    let reach = reach(report, public_url, defaults.cookie.domain.as_ref())?;
    let name = defaults.cookie.name.clone();
    Ok(AppSession { times, cookie: SessionCookie { name, reach, same_site, persistence } })
}

/// An app beyond the domain could never see a cookie that is set on it.
fn reach(report: &Report, public_url: &Placed<PublicUrl>, domain: Option<&Placed<String>>) -> Reading<CookieReach> {
    let Some(domain) = domain else { return Ok(CookieReach::App) };
    let below = public_url.host.strip_suffix(&domain.value);
    if below.is_some_and(|rest| rest.is_empty() || rest.ends_with('.')) {
        return Ok(CookieReach::Siblings(domain.value.clone()));
    }
    Err(report.add(
        Fault::at(public_url.place, format!("this app is not on or below {}", domain.value))
            .related(domain.place, "sessions are kept for this domain")
            .why("browsers would drop its session cookie, and its visitors would sign in for ever")
            .help("give the app a host on or below the domain, or serve it by another Vestibule"),
    ))
}
