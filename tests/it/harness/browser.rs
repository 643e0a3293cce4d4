//! A browser as far as a sign-in needs one: a cookie jar, redirects, Fetch Metadata.
//!
//! Cookies follow RFC 6265 with the prefixes and `SameSite=Lax` of its revision: they know
//! hosts, not ports. One for a domain and one for the host alone are two, as in Chromium. `Sec-Fetch-Site` follows the Fetch Metadata standard:
//! the least related of initiator and every hop, and `none` for what somebody typed.

use std::sync::Arc;

use cookie::{Cookie, SameSite};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName},
};
use tokio::io::AsyncWriteExt as _;
use tokio_rustls::TlsConnector;
use url::{Host, Position, Url};

use super::{
    client::{RawClient, Request, Response, tcp},
    wire::Wire,
};

/// Chromium's own limit.
const MOST_REDIRECTS: usize = 20;

#[derive(Clone, Debug)]
struct Kept {
    host: String,
    reach: Reach,
    name: String,
    value: String,
    path: String,
    secure: bool,
    same_site: Option<SameSite>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    HostAlone,
    AndBelow,
}

/// One person's browser.
#[derive(Clone)]
pub(crate) struct Browser {
    jar: Vec<Kept>,
    /// None: something in front of Vestibule has the TLS, and this is reached through it.
    tls: Option<TlsConnector>,
    /// What each connection to a host begins with.
    preface: Option<(String, Vec<u8>)>,
}

/// Where a navigation ended.
#[derive(Debug)]
pub(crate) struct Landed {
    pub(crate) url: Url,
    pub(crate) response: Response,
    /// The redirects on the way, each with the URL that answered it.
    pub(crate) hops: Vec<(Url, Response)>,
}

/// One request for a document.
#[derive(Clone, Debug)]
struct Navigation {
    url: Url,
    form: Option<String>,
    /// The page that led here; `None` where somebody typed the address.
    initiator: Option<Url>,
    /// The URLs of the redirects so far.
    chain: Vec<Url>,
}

impl Browser {
    pub(super) fn trusting(roots: &[CertificateDer<'static>]) -> Self {
        let tls = (!roots.is_empty()).then(|| TlsConnector::from(Arc::new(client_config(roots))));
        Self { jar: Vec::new(), tls, preface: None }
    }

    /// The same browser, where the host of this URL is reached through something that writes a PROXY header.
    pub(crate) fn behind_a_load_balancer(&self, url: &Url, header: Vec<u8>) -> Self {
        let host = url.host_str().unwrap_or_default().to_owned();
        Self { preface: Some((host, header)), ..self.clone() }
    }

    /// Goes to a typed address and follows redirects.
    pub(crate) async fn open(&mut self, url: &str) -> Landed {
        self.navigate(Navigation { url: parse(url), form: None, initiator: None, chain: Vec::new() }).await
    }

    /// Follows a link on a page.
    pub(crate) async fn click(&mut self, page: &Url, href: &str) -> Landed {
        let url = page.join(href).expect("a link");
        self.navigate(Navigation { url, form: None, initiator: Some(page.clone()), chain: Vec::new() }).await
    }

    /// Sends a form of a page.
    pub(crate) async fn submit(&mut self, page: &Url, action: &str, fields: &[(&str, &str)]) -> Landed {
        let url = page.join(action).expect("an action");
        let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.navigate(Navigation { url, form: Some(form), initiator: Some(page.clone()), chain: Vec::new() }).await
    }

    /// Goes to a typed address and stops at whatever comes.
    pub(crate) async fn look_at(&mut self, url: &str) -> Response {
        self.step(&Navigation { url: parse(url), form: None, initiator: None, chain: Vec::new() }).await
    }

    /// Goes to the callback URL by itself: everything up to the app's own answer, which is not asked for.
    ///
    /// What a provider has answered and nobody has redeemed yet: for a test that does it twice,
    /// elsewhere, or otherwise.
    pub(crate) async fn up_to_callback(&mut self, url: &str) -> Url {
        let mut navigation = Navigation { url: parse(url), form: None, initiator: None, chain: Vec::new() };
        for _ in 0..MOST_REDIRECTS {
            let response = self.step(&navigation).await;
            navigation = navigation.redirected(&response).unwrap_or_else(|| panic!("no redirect: {response:?}"));
            if navigation.url.path().ends_with("/callback") {
                return navigation.url;
            }
        }
        panic!("more than {MOST_REDIRECTS} redirects and no callback");
    }

    async fn navigate(&mut self, mut navigation: Navigation) -> Landed {
        let mut hops = Vec::new();
        loop {
            let response = self.step(&navigation).await;
            let Some(next) = navigation.redirected(&response) else {
                return Landed { url: navigation.url, response, hops };
            };
            assert!(hops.len() < MOST_REDIRECTS, "more than {MOST_REDIRECTS} redirects: {hops:?}");
            hops.push((std::mem::replace(&mut navigation, next).url, response));
        }
    }

    async fn step(&mut self, navigation: &Navigation) -> Response {
        let Navigation { url, form, .. } = navigation;
        let target = &url[Position::BeforePath..Position::AfterQuery];
        let site = navigation.site();
        let mut request = match form {
            None => Request::get(target),
            Some(form) => Request::post(target, form).header("Content-Type", "application/x-www-form-urlencoded"),
        };
        request = request
            .header("Host", &url[Position::BeforeHost..Position::AfterPort])
            .header("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8");
        if is_trustworthy(url) {
            request = request.headers(&[
                ("Sec-Fetch-Site", site),
                ("Sec-Fetch-Mode", "navigate"),
                ("Sec-Fetch-User", "?1"),
                ("Sec-Fetch-Dest", "document"),
            ]);
        }
        if form.is_some() {
            let origin = match navigation.chain.first() {
                Some(_) => "null".to_owned(),
                None => {
                    navigation.initiator.as_ref().map_or("null".to_owned(), |page| page.origin().ascii_serialization())
                }
            };
            request = request.header("Origin", &origin);
        }
        let strict_only = site == "cross-site" && form.is_some();
        let cookies = self.cookies(url, |cookie| !strict_only || cookie.same_site == Some(SameSite::None));
        if !cookies.is_empty() {
            request = request.header("Cookie", &cookies);
        }
        let mut client = self.connect(url).await;
        let response = client.exchange(&request).await;
        for cookie in response.headers("set-cookie") {
            self.keep(url, cookie);
        }
        response
    }

    async fn connect(&self, url: &Url) -> RawClient {
        let port = url.port_or_known_default().expect("http and https have one");
        let address = match url.host() {
            Some(Host::Ipv4(ip)) => (ip, port).into(),
            // Every other name of these tests is this machine.
            _ => ([127, 0, 0, 1], port).into(),
        };
        let mut stream = tcp([127, 0, 0, 1].into(), address).await;
        if let Some((_, header)) = self.preface.as_ref().filter(|(host, _)| url.host_str() == Some(host)) {
            stream.write_all(header).await.expect("the connection stands");
        }
        let Some(tls) = self.tls.as_ref().filter(|_| url.scheme() == "https") else {
            return RawClient { wire: Wire::new(stream) };
        };
        let name = ServerName::try_from(url.host_str().unwrap_or_default().to_owned()).expect("a name for TLS");
        let stream = tls.connect(name, stream).await.unwrap_or_else(|error| panic!("no TLS to {url}: {error}"));
        RawClient { wire: Wire::new(stream) }
    }

    fn keep(&mut self, url: &Url, line: &str) {
        let cookie = Cookie::parse(line.to_owned()).unwrap_or_else(|error| panic!("{line}: {error}"));
        let own = url.host_str().unwrap_or_default();
        let (host, reach) = match cookie.domain().map(|domain| domain.trim_start_matches('.')) {
            Some(domain) if !is_on_or_below(own, domain) => return,
            Some(domain) => (domain.to_owned(), Reach::AndBelow),
            None => (own.to_owned(), Reach::HostAlone),
        };
        let path = cookie.path().unwrap_or("/").to_owned();
        let secure = cookie.secure() == Some(true);
        // Browsers compare prefixes without case, so that no server is misled.
        let name = cookie.name().to_ascii_lowercase();
        let fits_its_prefix = match (name.starts_with("__host-"), name.starts_with("__secure-")) {
            (true, _) => secure && url.scheme() == "https" && path == "/" && reach == Reach::HostAlone,
            (false, true) => secure && url.scheme() == "https",
            (false, false) => !secure || url.scheme() == "https",
        };
        if !fits_its_prefix || (cookie.same_site() == Some(SameSite::None) && !secure) {
            return;
        }
        self.jar.retain(|kept| {
            (&*kept.host, kept.reach, &*kept.name, &*kept.path) != (&*host, reach, cookie.name(), &*path)
        });
        if cookie.max_age().is_none_or(cookie::time::Duration::is_positive) {
            let (name, value, same_site) = (cookie.name().to_owned(), cookie.value().to_owned(), cookie.same_site());
            self.jar.push(Kept { host, reach, name, value, path, secure, same_site });
        }
    }

    fn cookies(&self, url: &Url, filter: impl Fn(&Kept) -> bool) -> String {
        let host = url.host_str().unwrap_or_default();
        let reaches = |kept: &Kept| match kept.reach {
            Reach::HostAlone => kept.host == host,
            Reach::AndBelow => is_on_or_below(host, &kept.host),
        };
        // RFC 6265 §5.1.4: by whole segments.
        let path = |kept: &Kept| {
            let rest = url.path().strip_prefix(kept.path.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || kept.path.ends_with('/'))
        };
        let secure = |kept: &Kept| !kept.secure || url.scheme() == "https";
        let sent = self.jar.iter().filter(|kept| reaches(kept) && path(kept) && secure(kept) && filter(kept));
        let pairs: Vec<_> = sent.map(|kept| format!("{}={}", kept.name, kept.value)).collect();
        pairs.join("; ")
    }

    /// The `Cookie` that it would send there.
    pub(crate) fn cookie_header(&self, url: &Url) -> String {
        self.cookies(url, |_| true)
    }

    /// The names of the cookies that it would send there.
    pub(crate) fn cookie_names(&self, url: &Url) -> Vec<String> {
        let header = self.cookie_header(url);
        let names = header.split("; ").filter_map(|pair| pair.split_once('='));
        names.map(|(name, _)| name.to_owned()).collect()
    }

    /// Somebody plants or changes a cookie.
    pub(crate) fn set_cookie(&mut self, url: &Url, line: &str) {
        self.keep(url, line);
    }
}

impl Navigation {
    fn redirected(&self, response: &Response) -> Option<Self> {
        if !matches!(response.status, 301 | 302 | 303 | 307 | 308) {
            return None;
        }
        let url = self.url.join(response.location()).expect("a Location that is a URL");
        let form = if matches!(response.status, 307 | 308) { self.form.clone() } else { None };
        let chain = self.chain.iter().chain([&self.url]).cloned().collect();
        Some(Self { url, form, initiator: self.initiator.clone(), chain })
    }

    fn site(&self) -> &'static str {
        let Some(initiator) = &self.initiator else { return "none" };
        let relation = |other: &Url| {
            if other.origin() == self.url.origin() {
                0
            } else if site(other) == site(&self.url) && other.scheme() == self.url.scheme() {
                1
            } else {
                2
            }
        };
        let worst = self.chain.iter().chain([initiator]).map(relation).max();
        ["same-origin", "same-site", "cross-site"][worst.unwrap_or(0)]
    }
}

fn is_on_or_below(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// The host as far as a site goes; all names of these tests have one label above what anybody can register.
fn site(url: &Url) -> String {
    match url.host() {
        Some(Host::Domain(name)) => name.rsplitn(3, '.').take(2).collect::<Vec<_>>().join("."),
        host => host.map(|host| host.to_string()).unwrap_or_default(),
    }
}

/// Secure Contexts §3.1: Fetch Metadata is sent to nobody else.
fn is_trustworthy(url: &Url) -> bool {
    url.scheme() == "https"
        || match url.host() {
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            _ => false,
        }
}

fn parse(url: &str) -> Url {
    Url::parse(url).unwrap_or_else(|error| panic!("{url}: {error}"))
}

/// A client that trusts these roots and nothing else.
pub(crate) fn client_config(roots: &[CertificateDer<'static>]) -> ClientConfig {
    let mut store = RootCertStore::empty();
    for root in roots {
        store.add(root.clone()).expect("a certificate of our own making");
    }
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("aws-lc has what TLS needs")
        .with_root_certificates(store)
        .with_no_client_auth()
}
