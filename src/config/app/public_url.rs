//! `public_url`: where visitors find an app.
//!
//! It may have a path, in the one spelling that normalising gives it: apps on one
//! host are told apart by it, and it may be taken off towards the upstream, so a path
//! that could be spelled in two ways would be two answers to "whose request is this?".

use super::Scheme;
use crate::config::{
    fault::Fault,
    location, plain_path,
    section::{Placed, Reading, Section, Wrong},
};

/// Where visitors find the app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl {
    /// Whether the visitor's side is https: decides cookie security, never the connection.
    pub scheme: Scheme,
    /// The host in lower case; IPv6 in brackets.
    pub host: String,
    /// The port, also where it is the scheme's own.
    pub port: u16,
    /// The path that the app is below, without a slash at its end: empty for the whole host.
    pub path: String,
}

impl PublicUrl {
    /// The origin as a browser writes it (RFC 6454 §6.2): the scheme's own port is left out.
    pub fn origin(&self) -> String {
        self.origin_at(&self.host)
    }

    /// The same for another host of the app.
    pub fn origin_at(&self, host: &str) -> String {
        if self.port == self.scheme.default_port() {
            format!("{}://{host}", self.scheme.as_str())
        } else {
            format!("{}://{host}:{}", self.scheme.as_str(), self.port)
        }
    }
}

pub(super) fn read_public_url(section: &Section<'_>) -> Reading<Placed<PublicUrl>> {
    let insecure_http = section.flag("insecure_http", false);
    let public_url = section.required("public_url", "\"https://wiki.example.com\"", |text| {
        let url = location::parse_url(text)?;
        let path = written_path(text);
        if path.is_empty() || plain_path::is_plain(path) {
            return Ok((path.to_owned(), url));
        }
        Err(Wrong::new("has a path that could be spelled otherwise")
            .why("the path says which app a request is for, and no two readers may differ about that")
            .help("write segments of plain letters, digits and -._~ with one slash between them"))
    })?;
    let (path, url) = &public_url.value;
    if url.scheme() != "https" && !location::is_loopback(url) {
        if !insecure_http? {
            return Err(section.report().add(
                Fault::at(public_url.place, "`public_url` must start with https://")
                    .why("over plain http, whoever sees the traffic takes over every session")
                    .help("loopback hosts may use http; elsewhere only with insecure_http = true beside it"),
            ));
        }
        section.report().warn(
            Some(public_url.place),
            "`public_url` is plain http: whoever sees the traffic takes over every session",
        );
    }
    let scheme = location::scheme(url);
    let value = PublicUrl {
        scheme,
        host: url.host_str().unwrap_or_default().to_owned(),
        port: url.port().unwrap_or(scheme.default_port()),
        path: path.clone(),
    };
    Ok(Placed { value, place: public_url.place })
}

/// The path as it stands in the file, which a parser of URLs would mend; one slash at its end means nothing.
fn written_path(url: &str) -> &str {
    let authority_on = url.split_once("://").map_or("", |(_, rest)| rest);
    let path = authority_on.find('/').map_or("", |at| &authority_on[at..]);
    path.strip_suffix('/').unwrap_or(path)
}
