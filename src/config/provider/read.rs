//! Reads `[[provider]]`: what is refused here could let somebody in under another name later.

use std::collections::BTreeMap;

use url::Url;

use super::{ClaimNames, ClientAuth, Provider, SigningAlgorithm, TrustEmail, UserInfo, endpoints, parameters, proxy};
use crate::{
    config::{
        fault::{Fault, Place, quoted},
        location, pem,
        section::{Placed, Reading, Section, Unique, Wrong},
    },
    identity::{Issuer, ProviderId},
    secret::Secret,
};

/// What an operator may have left standing from a template, in lower case.
const PLACEHOLDERS: [&str; 10] = [
    "…",
    "...",
    "change-me",
    "change_me",
    "changeme",
    "changeit",
    "todo",
    "xxx",
    "your-client-id",
    "your-client-secret",
];

/// What a file without any provider is shown.
const EXAMPLE: &str = "\
[[provider]]
id = \"company\"
issuer = \"https://id.example.com\"
client_id = \"wiki\"
client_secret_file = \"client-secret\"";

/// The longest name of a claim; a whole path of them.
const MAX_CLAIM_PATH: usize = 256;

/// All `[[provider]]` sections: those that could be read, and the ids of all.
pub(in crate::config) struct Providers {
    /// One for each section.
    pub(in crate::config) read: Vec<Reading<Provider>>,
    /// The ids of all sections whose id could be read, whatever became of the rest.
    /// What they say about addresses is here where it could be read as well.
    ids: BTreeMap<ProviderId, Option<TrustEmail>>,
    /// Whether each id could be read: only then is an id that is not here an unknown one.
    all_ids: Reading<()>,
}

impl Providers {
    /// Reads all sections.
    pub(in crate::config) fn read(root: &Section<'_>) -> Self {
        let mut unique = Unique::new("the id");
        let mut ids = BTreeMap::new();
        let read = root.tables("provider", "provider", |section| {
            let id = read_id(section, "company", &mut unique);
            let provider = read_provider(section, &id);
            if let Ok(id) = id {
                let trust = provider.as_ref().ok().map(|provider| provider.trust_email);
                ids.insert(ProviderId::new(id.value), trust);
            }
            provider
        });
        let all_ids = match read.iter().find_map(|provider| provider.as_ref().err()) {
            _ if read.is_empty() => Err(root.missing("provider", "nobody could sign in", EXAMPLE)),
            Some(reported) if ids.len() < read.len() => Err(*reported),
            _ => Ok(()),
        };
        Self { read, ids, all_ids }
    }

    /// The only one there is; `None` where an app has to say which it means.
    pub(in crate::config) fn only(&self) -> Reading<Option<ProviderId>> {
        self.all_ids?;
        Ok(if self.ids.len() == 1 { self.ids.keys().next().cloned() } else { None })
    }

    /// All ids, for messages.
    pub(in crate::config) fn ids(&self) -> impl Iterator<Item = &ProviderId> {
        self.ids.keys()
    }

    /// Whether addresses of a provider never count.
    pub(in crate::config) fn never_trusts_email(&self, id: &ProviderId) -> bool {
        self.ids.get(id) == Some(&Some(TrustEmail::Never))
    }

    /// The provider that a key names.
    pub(in crate::config) fn find(&self, section: &Section<'_>, key: &str, id: &Placed<String>) -> Reading<ProviderId> {
        let wanted = ProviderId::new(id.as_str());
        if self.ids.contains_key(&wanted) {
            return Ok(wanted);
        }
        self.all_ids?;
        let ids: Vec<_> = self.ids().map(|id| format!("\"{id}\"")).collect();
        let fault = Fault::at(id.place, format!("`{key}` names \"{}\", and there is no such provider", quoted(id)));
        Err(section.report().add(fault.help(format!("the providers here are {}", ids.join(", ")))))
    }
}

/// The `id` of a provider or an app.
pub(in crate::config) fn read_id(section: &Section<'_>, example: &str, unique: &mut Unique) -> Reading<Placed<String>> {
    let id = section.required("id", &format!("\"{example}\""), |text| {
        let plain = text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        if plain && text.len() <= 64 {
            Ok(text.to_owned())
        } else {
            Err(Wrong::new("must be 1 to 64 characters of a-z, 0-9 and -"))
        }
    })?;
    unique.claim(section.report(), &id, id.place)?;
    Ok(id)
}

fn read_provider(section: &Section<'_>, id: &Reading<Placed<String>>) -> Reading<Provider> {
    let preset = section.choice("preset", &[("generic", ())]);
    let insecure_http = section.flag("insecure_http", false);
    let issuer = section.required("issuer", "\"https://id.example.com\"", |text| {
        location::parse_url(text).map(|url| (text.to_owned(), url))
    });
    let issuer = issuer.and_then(|issuer| {
        check_scheme(section, "issuer", &issuer.value.1, issuer.place, insecure_http).map(|()| issuer)
    });
    let discovery_url = section.optional("discovery_url", location::parse_url);
    let discovery_url = discovery_url.and_then(|url| match url {
        Some(url) => check_scheme(section, "discovery_url", &url, url.place, insecure_http).map(|()| Some(url)),
        None => Ok(None),
    });
    let endpoints = endpoints::read(section, insecure_http);
    let client_id = section.required("client_id", "\"wiki\"", parse_credential);
    let client_auth = read_client_auth(section);
    let next_client_auth = read_next_client_auth(section, client_auth.as_ref().ok());
    let scopes = read_scopes(section);
    let parameters = parameters::read(section);
    let require_auth_time = section.flag("require_auth_time", false);
    let id_token_alg = read_algorithm(section, client_auth.as_ref().ok());
    let claims = section.table_or_empty("claims", "provider.claims", read_claims);
    let trust_email = read_trust_email(section);
    let userinfo = section
        .choice("userinfo", &[("auto", UserInfo::Auto), ("always", UserInfo::Always), ("never", UserInfo::Never)]);
    let display_name = section.optional("display_name", parse_name);
    let proxy = proxy::read(section);
    let extra_roots = pem::read_roots(section, "ca_file");
    preset?;
    insecure_http?;
    let id = ProviderId::new(id.as_ref().map_err(|reported| *reported)?.as_str());
    let (issuer, issuer_url) = issuer?.value;
    let (endpoints, discovery_url, id_token_alg) = (endpoints?, discovery_url?, id_token_alg?);
    let userinfo = userinfo?.unwrap_or(UserInfo::Auto);
    let are_enough = endpoints.are_enough(id_token_alg, userinfo);
    if let Some(url) = discovery_url.as_ref().filter(|_| are_enough) {
        section.report().warn(
            Some(url.place),
            "`discovery_url` is not used: with all endpoints that are needed set, no metadata is fetched",
        );
    }
    Ok(Provider {
        discovery_url: match discovery_url {
            _ if are_enough => None,
            Some(url) => Some(url.value),
            None => Some(well_known(issuer_url)),
        },
        endpoints,
        issuer: Issuer::new(issuer),
        client_id: client_id?.value,
        client_auth: client_auth?,
        next_client_auth: next_client_auth?,
        scopes: scopes?,
        parameters: parameters?,
        require_auth_time: require_auth_time?,
        id_token_alg,
        claims: claims?,
        kept_claims: Vec::new(),
        kept_tokens: Vec::new(),
        trust_email: trust_email?,
        userinfo,
        display_name: display_name?.map_or_else(|| id.to_string(), |name| name.value),
        proxy: proxy?,
        extra_roots: extra_roots?,
        id,
    })
}

/// OpenID Connect Discovery §4.1: a slash at the issuer's end is removed before the path is added.
fn well_known(mut issuer: Url) -> Url {
    let path = format!("{}/.well-known/openid-configuration", issuer.path().strip_suffix('/').unwrap_or(issuer.path()));
    issuer.set_path(&path);
    issuer
}

/// Plain http is for loopback, and for those who say so.
pub(super) fn check_scheme(
    section: &Section<'_>,
    key: &str,
    url: &Url,
    place: Place,
    insecure_http: Reading<bool>,
) -> Reading<()> {
    if url.scheme() == "https" || location::is_loopback(url) {
        return Ok(());
    }
    if insecure_http? {
        section.report().warn(
            Some(place),
            format_args!("`{key}` is plain http: whoever can change the traffic can sign in as anybody"),
        );
        return Ok(());
    }
    Err(section.report().add(
        Fault::at(place, format!("`{key}` must start with https://"))
            .why("the keys of the provider come from there: whoever can change the traffic can sign in as anybody")
            .help("loopback hosts may use http; elsewhere only with insecure_http = true beside it"),
    ))
}

/// RFC 6749 Appendix A.1 and A.2 allow spaces and printable ASCII; providers are not so strict, so control characters
/// are refused and nothing else.
fn parse_credential(text: &str) -> Result<String, Wrong> {
    let lower = text.to_ascii_lowercase();
    if PLACEHOLDERS.contains(&lower.as_str()) || (text.starts_with('<') && text.ends_with('>')) {
        return Err(Wrong::new("still is a placeholder").help("the provider gives it where the client is registered"));
    }
    if text.trim() != text || text.chars().any(char::is_control) {
        return Err(Wrong::new("must be one line without spaces around it"));
    }
    Ok(text.to_owned())
}

fn read_client_auth(section: &Section<'_>) -> Reading<ClientAuth> {
    #[derive(Clone, Copy, PartialEq)]
    enum Method {
        Basic,
        Post,
        None,
    }
    let secret = section.secret("client_secret", "client_secret_file", parse_credential);
    let method = section.choice(
        "client_auth",
        &[("client_secret_basic", Method::Basic), ("client_secret_post", Method::Post), ("none", Method::None)],
    );
    match (secret?.map(|secret| Secret::new(secret.value)), method?) {
        (Some(secret), None | Some(Method::Basic)) => Ok(ClientAuth::Basic(secret)),
        (Some(secret), Some(Method::Post)) => Ok(ClientAuth::Post(secret)),
        (None, None | Some(Method::None)) => Ok(ClientAuth::None),
        (None, Some(Method::Basic | Method::Post)) => Err(section.report().add(
            section
                .fault(&["client_auth"], "`client_auth` needs a secret, and there is none")
                .help("add client_secret_file, or write client_auth = \"none\" for a public client")
                .absence(section.place(), &["client_secret", "client_secret_file"]),
        )),
        (Some(_), Some(Method::None)) => Err(section.report().add(
            section
                .fault(&["client_auth"], "`client_auth` is \"none\", and there is a secret")
                .why("a secret that is never used is either forgotten or meant to be used")
                .help("remove the secret, or client_auth"),
        )),
    }
}

/// The second secret of a rotation, shown in the same way.
fn read_next_client_auth(section: &Section<'_>, current: Option<&ClientAuth>) -> Reading<Option<ClientAuth>> {
    let next = section.secret("client_secret_next", "client_secret_next_file", parse_credential)?;
    let (Some(next), Some(current)) = (next, current) else { return Ok(None) };
    let (place, next) = (next.place, Secret::new(next.value));
    let refused = |title: &str, help: &str| Err(section.report().add(Fault::at(place, title).help(help)));
    match current {
        ClientAuth::None => refused(
            "`client_secret_next` comes after `client_secret`, and there is none",
            "call it client_secret, or client_secret_file",
        ),
        // As between the two steps that end a rotation: a start must not fail for it.
        _ if current.secret().is_some_and(|current| current.expose() == next.expose()) => {
            section
                .report()
                .warn(Some(place), "`client_secret_next` is the same as `client_secret`, so it is not used");
            Ok(None)
        }
        ClientAuth::Basic(_) => Ok(Some(ClientAuth::Basic(next))),
        ClientAuth::Post(_) => Ok(Some(ClientAuth::Post(next))),
    }
}

fn read_scopes(section: &Section<'_>) -> Reading<Vec<String>> {
    // RFC 6749 §3.3
    let scope_token = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    let scopes = section.list("scopes", |text| {
        if !text.is_empty() && text.bytes().all(scope_token) {
            return Ok(text.to_owned());
        }
        Err(Wrong::new("must hold one scope in each string, without spaces and quotes")
            .help("write, for example, [\"openid\", \"profile\", \"email\"]"))
    })?;
    let Some(scopes) = scopes else { return Ok(["openid", "profile", "email"].map(str::to_owned).into()) };
    let mut unique = Unique::new("the scope");
    for scope in &scopes {
        unique.claim(section.report(), scope, scope.place)?;
    }
    if !scopes.iter().any(|scope| scope.value == "openid") {
        return Err(section.report().add(
            section
                .fault(&["scopes"], "`scopes` must contain \"openid\"")
                .why("without it the provider answers plain OAuth, which says nothing about who signed in"),
        ));
    }
    Ok(scopes.into_iter().map(|scope| scope.value).collect())
}

fn read_algorithm(section: &Section<'_>, client_auth: Option<&ClientAuth>) -> Reading<Option<SigningAlgorithm>> {
    let algorithm = section.optional("id_token_signed_response_alg", |text| {
        if text.eq_ignore_ascii_case("none") {
            return Err(Wrong::new("must not be \"none\"")
                .why("an ID token without a signature is whatever somebody writes into it")
                .help("remove the key: RS256 is what every provider has"));
        }
        SigningAlgorithm::from_name(text).ok_or_else(|| {
            let names = SigningAlgorithm::ALL.map(SigningAlgorithm::as_str).join(", ");
            Wrong::new("must be a signature algorithm").help(format!("one of {names}"))
        })
    })?;
    let Some(algorithm) = algorithm else { return Ok(None) };
    if algorithm.is_symmetric() && client_auth.is_some_and(|auth| auth.secret().is_none()) {
        let title = format!("{} is keyed by the client secret, and there is none", algorithm.as_str());
        let fault = Fault::at(algorithm.place, title)
            .why("anybody could sign with an empty key")
            .absence(section.place(), &["client_secret", "client_secret_file"]);
        return Err(section
            .report()
            .add(fault.help("add client_secret_file, or choose an algorithm with a public key")));
    }
    Ok(Some(algorithm.value))
}

fn read_claims(section: &Section<'_>) -> Reading<ClaimNames> {
    let claim = |key, default: &str| {
        let path = section.optional(key, parse_claim_path);
        path.map(|path| path.map_or_else(|| default.to_owned(), |path| path.value))
    };
    let user = claim("user", "sub");
    let email = claim("email", "email");
    let name = claim("name", "name");
    let groups = claim("groups", "groups");
    let preferred_username = claim("preferred_username", "preferred_username");
    Ok(ClaimNames { user: user?, email: email?, name: name?, groups: groups?, preferred_username: preferred_username? })
}

/// A claim, or a path into nested ones by dots.
pub(in crate::config) fn parse_claim_path(text: &str) -> Result<String, Wrong> {
    let whole = text.split('.').all(|name| !name.is_empty()) && !text.chars().any(char::is_control);
    if whole && text.len() <= MAX_CLAIM_PATH {
        return Ok(text.to_owned());
    }
    Err(Wrong::new("must be the name of a claim, or names joined by dots").help("for example, \"realm_access.roles\""))
}

fn read_trust_email(section: &Section<'_>) -> Reading<TrustEmail> {
    let trust = section.choice(
        "trust_email",
        &[("verified", TrustEmail::Verified), ("always", TrustEmail::Always), ("never", TrustEmail::Never)],
    )?;
    if trust == Some(TrustEmail::Always) {
        section.report().warn(
            section.place_of("trust_email"),
            "`trust_email` is \"always\": whoever can set an address at this provider can be anybody to the rules",
        );
    }
    Ok(trust.unwrap_or(TrustEmail::Verified))
}

/// What pages show.
pub(in crate::config) fn parse_name(text: &str) -> Result<String, Wrong> {
    const MAX_NAME: usize = 64;
    if text.chars().count() > MAX_NAME {
        return Err(Wrong::new(format_args!("must have at most {MAX_NAME} characters")));
    }
    if text.trim().is_empty() || text.chars().any(char::is_control) {
        return Err(Wrong::new("must be one line of text"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_metadata_is_below_the_issuer_with_one_slash() {
        for (issuer, expected) in [
            ("https://id.example.com", "https://id.example.com/.well-known/openid-configuration"),
            ("https://id.example.com/", "https://id.example.com/.well-known/openid-configuration"),
            ("https://id.example.com/realms/x", "https://id.example.com/realms/x/.well-known/openid-configuration"),
            ("https://id.example.com/realms/x/", "https://id.example.com/realms/x/.well-known/openid-configuration"),
        ] {
            assert_eq!(well_known(Url::parse(issuer).expect("a URL")).as_str(), expected);
        }
    }
}
