//! `[app.headers]`: what the app is told of its visitors, and under which names.
//!
//! A header by which an app knows somebody may come from us alone. So a name has one
//! origin here: what the preset sets, `set` must not set again, and `drop` must not
//! claim to keep away. Names that decide how a request is framed, where it goes or
//! where it came from are nobody's to set ([`name`]).

use std::{fmt, sync::Arc};

use data_encoding::BASE64;
use http::{HeaderName, HeaderValue, header::AUTHORIZATION};

use self::name::{Use, parse_name};
use crate::{
    config::{
        Provider,
        access::{Route, RouteAccess},
        fault::{Fault, Place, Report, quoted},
        provider::{parse_claim_path, standard_scope},
        section::{Placed, Reading, Section, Unique, Wrong},
        upstream::UpstreamUrl,
    },
    secret::Secret,
};

mod group_pattern;
mod name;

pub use group_pattern::GroupPattern;

/// The longest value that stands in the file; what is longer no server takes for sure.
const MAX_VALUE: usize = 4 * 1024;

/// What an entry of `set` is shown to somebody who has not written one.
const EXAMPLE: &str = "write, for example: X-WEBAUTH-USER = { claim = \"preferred_username\" }";

/// `[app.headers]`
#[derive(Debug)]
pub struct Headers {
    /// `preset`
    pub preset: Preset,
    /// `drop`: request headers of visitors that the app never sees.
    pub drop: Vec<HeaderName>,
    /// `set`, in the order of the names.
    pub set: Vec<(HeaderName, Setting)>,
    /// `encoding`
    pub encoding: Encoding,
    /// `pass_groups`; empty = all.
    pub pass_groups: Vec<GroupPattern>,
    /// `assertion`: whether each request carries `X-Vestibule-Assertion`.
    pub assertion: bool,
    /// `access_token`: whether it is handed over in `X-Forwarded-Access-Token`.
    pub access_token: bool,
    /// `authorization`: the token that is handed over there.
    pub authorization: Option<BearerToken>,
}

/// A convention by which apps are told who is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// `X-Forwarded-User` and its like: what oauth2-proxy sends to its upstream.
    Forwarded,
    /// `X-Auth-Request-User` and its like: what oauth2-proxy answers to nginx's `auth_request`.
    AuthRequest,
    /// `Remote-User` and its like: Authelia's names.
    Remote,
    /// No header but those of `set`.
    None,
}

/// What one header of a preset says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// What `claims.user` names.
    User,
    /// The trusted address.
    Email,
    /// What `claims.name` names.
    Name,
    /// What `claims.preferred_username` names.
    PreferredUsername,
    /// What `claims.groups` names, as far as `pass_groups` lets it pass.
    Groups,
}

static FORWARDED: [(HeaderName, Told); 4] = [
    (HeaderName::from_static("x-forwarded-user"), Told::User),
    (HeaderName::from_static("x-forwarded-email"), Told::Email),
    (HeaderName::from_static("x-forwarded-preferred-username"), Told::PreferredUsername),
    (HeaderName::from_static("x-forwarded-groups"), Told::Groups),
];

static AUTH_REQUEST: [(HeaderName, Told); 4] = [
    (HeaderName::from_static("x-auth-request-user"), Told::User),
    (HeaderName::from_static("x-auth-request-email"), Told::Email),
    (HeaderName::from_static("x-auth-request-preferred-username"), Told::PreferredUsername),
    (HeaderName::from_static("x-auth-request-groups"), Told::Groups),
];

static REMOTE: [(HeaderName, Told); 4] = [
    (HeaderName::from_static("remote-user"), Told::User),
    (HeaderName::from_static("remote-email"), Told::Email),
    (HeaderName::from_static("remote-name"), Told::Name),
    (HeaderName::from_static("remote-groups"), Told::Groups),
];

impl Preset {
    /// Its headers.
    pub fn headers(self) -> &'static [(HeaderName, Told)] {
        match self {
            Self::Forwarded => &FORWARDED,
            Self::AuthRequest => &AUTH_REQUEST,
            Self::Remote => &REMOTE,
            Self::None => &[],
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Forwarded => "forwarded",
            Self::AuthRequest => "auth_request",
            Self::Remote => "remote",
            Self::None => "none",
        }
    }
}

/// Where the value of a header of `set` comes from.
#[derive(Debug)]
pub enum Setting {
    /// `claim`: a dotted path into the visitor's claims. Absent claim, absent header.
    Claim(String),
    /// `value`: the same for everybody, on public routes too.
    Value(HeaderValue),
    /// `basic`: a credential of ours for the app (RFC 7617), on public routes too.
    Basic(BasicCredential),
}

/// `basic = { username, password }`
pub struct BasicCredential {
    /// Without a colon.
    pub username: String,
    /// Shown to the app alone.
    pub password: Secret<String>,
}

impl BasicCredential {
    /// As a field value (RFC 7617 §2).
    pub fn header(&self) -> HeaderValue {
        let pair = Secret::new(format!("{}:{}", self.username, self.password.expose()));
        let value = Secret::new(format!("Basic {}", BASE64.encode(pair.expose().as_bytes())));
        let mut value = HeaderValue::from_str(value.expose()).expect("base64 is printable ASCII");
        value.set_sensitive(true);
        value
    }
}

impl fmt::Debug for BasicCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BasicCredential({})", self.username)
    }
}

/// How what is no printable ASCII stands in a value (RFC 9110 §5.5). `%` and whatever an encoding
/// cannot write is percent-encoded in each of them, so that no two claims become one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// The bytes of its UTF-8, percent-encoded.
    Percent,
    /// The bytes of its UTF-8.
    Utf8,
    /// One byte, up to U+00FF.
    Latin1,
}

/// A token of the provider that an app can be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BearerToken {
    /// The ID token: who signed in.
    IdToken,
    /// The access token: what opens the provider's APIs.
    AccessToken,
}

impl Headers {
    /// The claims that `set` names.
    pub fn claims(&self) -> impl Iterator<Item = &str> {
        self.set.iter().filter_map(|(_, setting)| match setting {
            Setting::Claim(path) => Some(path.as_str()),
            Setting::Value(_) | Setting::Basic(_) => None,
        })
    }

    /// Whether the app gets a token of this kind, under whichever name.
    pub fn hands_over(&self, token: BearerToken) -> bool {
        self.authorization == Some(token) || (token == BearerToken::AccessToken && self.access_token)
    }

    /// The names that only we may use towards the app, beside those that are removed from every app's requests.
    pub fn reserved(&self) -> impl Iterator<Item = &HeaderName> {
        let authorization = self.authorization.map(|_| &AUTHORIZATION);
        self.drop.iter().chain(self.set.iter().map(|(name, _)| name)).chain(authorization)
    }
}

/// A header that something else than `set` or `drop` sets, and what.
struct Taken {
    name: HeaderName,
    by: &'static str,
    place: Option<Place>,
}

pub(super) fn read_headers(section: &Section<'_>) -> Reading<Headers> {
    const PRESETS: [Preset; 4] = [Preset::Forwarded, Preset::AuthRequest, Preset::Remote, Preset::None];
    let preset = section.choice("preset", &PRESETS.map(|preset| (preset.as_str(), preset)));
    let encoding = section
        .choice("encoding", &[("percent", Encoding::Percent), ("utf8", Encoding::Utf8), ("latin1", Encoding::Latin1)]);
    let pass_groups = section.list("pass_groups", GroupPattern::parse);
    let assertion = section.flag("assertion", false);
    let access_token = section.flag("access_token", false);
    let authorization = section.choice(
        "authorization",
        &[("none", None), ("id_token", Some(BearerToken::IdToken)), ("access_token", Some(BearerToken::AccessToken))],
    );
    let drop = section.list("drop", |text| {
        let named = format_args!("names `{}`, which cannot be dropped: it ", quoted(text));
        parse_name(text, Use::Drop).map_err(|refused| refused.after(named))
    });
    let taken = match (&preset, &access_token, &authorization) {
        (Ok(preset), Ok(access_token), Ok(authorization)) => {
            taken(section, preset.unwrap_or(Preset::Forwarded), *access_token, authorization.flatten())
        }
        _ => Vec::new(),
    };
    let set = read_set(section, &taken);
    let (set, drop) = (set?, drop?.unwrap_or_default());
    check_drop(section, &drop, &set, &taken)?;

    let preset = preset?.unwrap_or(Preset::Forwarded);
    let (assertion, access_token, authorization) = (assertion?, access_token?, authorization?.flatten());
    let pass_groups = pass_groups?.unwrap_or_default();
    let may_tell_groups =
        assertion || preset != Preset::None || set.iter().any(|(_, setting)| matches!(setting, Setting::Claim(_)));
    if let (Some(pattern), false) = (pass_groups.first(), may_tell_groups) {
        return Err(section.report().add(
            Fault::at(pattern.place, "`pass_groups` means nothing here: no header tells the app any group")
                .help("choose a preset, write assertion = true, or remove the key"),
        ));
    }
    Ok(Headers {
        preset,
        drop: drop.into_iter().map(|name| name.value).collect(),
        set: set.into_iter().map(|(name, setting)| (name.value, setting)).collect(),
        encoding: encoding?.unwrap_or(Encoding::Percent),
        pass_groups: pass_groups.into_iter().map(|pattern| pattern.value).collect(),
        assertion,
        access_token,
        authorization,
    })
}

/// What preset, `access_token` and `authorization` set.
fn taken(section: &Section<'_>, preset: Preset, access_token: bool, authorization: Option<BearerToken>) -> Vec<Taken> {
    let of = |name, by: &'static str| Taken { name, by, place: section.place_of(by) };
    let preset = preset.headers().iter().map(|(name, _)| of(name.clone(), "preset"));
    let token = access_token.then(|| of(HeaderName::from_static("x-forwarded-access-token"), "access_token"));
    let bearer = authorization.map(|_| of(AUTHORIZATION, "authorization"));
    preset.chain(token).chain(bearer).collect()
}

fn read_set(section: &Section<'_>, taken: &[Taken]) -> Reading<Vec<(Placed<HeaderName>, Setting)>> {
    let mut unique = Unique::new("the header");
    let expected = "a table: { claim = \"…\" }, { value = \"…\" } or { basic = { … } }";
    let read = section.named_tables("set", "app.headers.set", expected, |name, section| {
        let setting = read_setting(section);
        let parsed = parse_name(&name, Use::Set).map_err(|refused| {
            let named = format_args!("`{}` cannot be set:", quoted(&name));
            section.report().add(refused.after("it ").at(name.place, named))
        })?;
        let name = Placed { value: parsed, place: name.place };
        unique.claim(section.report(), name.as_str(), name.place)?;
        check_free(section, &name, taken)?;
        Ok((name, setting?))
    })?;
    read.into_iter().collect()
}

fn read_setting(section: &Section<'_>) -> Reading<Setting> {
    let claim = section.stated("claim", parse_claim_path);
    let value = section.stated("value", parse_value);
    let basic = section.table("basic", "app.headers.set.basic", read_basic);
    match (claim?, value?, basic?) {
        (Some(claim), None, None) => Ok(Setting::Claim(claim.value)),
        (None, Some(value), None) => Ok(Setting::Value(value.value)),
        (None, None, Some(basic)) => Ok(Setting::Basic(basic)),
        (None, None, None) => Err(section.report().add(
            Fault::at(section.place(), "this header has no value")
                .absence(section.place(), &["claim", "value", "basic"])
                .help(EXAMPLE),
        )),
        _ => Err(section.report().add(
            Fault::at(section.place(), "this header has several values").help("keep one of claim, value and basic"),
        )),
    }
}

fn parse_value(text: &str) -> Result<HeaderValue, Wrong> {
    let printable = text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    if !printable || text.trim() != text {
        return Err(Wrong::new("must be printable ASCII without spaces around it")
            .help("what an app has to decode, write as the app wants it encoded"));
    }
    HeaderValue::from_str(text)
        .ok()
        .filter(|value| value.len() <= MAX_VALUE)
        .ok_or_else(|| Wrong::new("must have at most 4096 characters"))
}

fn read_basic(section: &Section<'_>) -> Reading<BasicCredential> {
    let username = section.required("username", "\"svc\"", |text| {
        if text.contains(':') || text.chars().any(char::is_control) {
            return Err(
                Wrong::new("must be one line without `:`").why("the password begins at the colon (RFC 7617 §2)")
            );
        }
        Ok(text.to_owned())
    });
    let password = section.secret("password", "password_file", |text| {
        let fits = text.len() <= MAX_VALUE / 2 && !text.chars().any(char::is_control);
        if fits { Ok(text.to_owned()) } else { Err(Wrong::new("must be one line, of at most 2048 bytes")) }
    });
    let (username, password) = (username?, password?);
    let password = password.ok_or_else(|| {
        section.report().add(
            Fault::at(section.place(), "`password_file` is missing in `basic`")
                .help("write, for example: password_file = \"upstream-password\"")
                .absence(section.place(), &["password", "password_file"]),
        )
    })?;
    Ok(BasicCredential { username: username.value, password: Secret::new(password.value) })
}

fn check_free(section: &Section<'_>, name: &Placed<HeaderName>, taken: &[Taken]) -> Reading<()> {
    let Some(taken) = taken.iter().find(|taken| taken.name == name.value) else { return Ok(()) };
    let fault = Fault::at(name.place, format!("`{}` is set by `{}` as well", name.value, taken.by))
        .why("of two values the app would see one, and nobody could say which");
    let fault = match taken.place {
        Some(place) => fault.related(place, "this sets it"),
        None => fault.label("the preset is \"forwarded\" where none is written"),
    };
    Err(section.report().add(fault.help(match taken.by {
        "preset" => "write preset = \"none\" and name each header in `set`, or remove this one",
        _ => "keep one of the two",
    })))
}

fn check_drop(
    section: &Section<'_>,
    drop: &[Placed<HeaderName>],
    set: &[(Placed<HeaderName>, Setting)],
    taken: &[Taken],
) -> Reading<()> {
    let mut outcome = Ok(());
    for name in drop {
        let in_set = set.iter().find(|(set, _)| set.value == name.value).map(|(set, _)| ("set", Some(set.place)));
        let by = taken.iter().find(|taken| taken.name == name.value).map(|taken| (taken.by, taken.place));
        let Some((by, place)) = in_set.or(by) else { continue };
        let fault = Fault::at(name.place, format!("`{}` is dropped, and `{by}` sets it", name.value));
        let fault = place.into_iter().fold(fault, |fault, place| fault.related(place, "this sets it"));
        let why = "a visitor's own is removed anyway where we set one";
        outcome = Err(section.report().add(fault.why(why).help("remove one of the two")));
    }
    outcome
}

/// What is allowed and may be more than was meant.
pub(super) fn warn(section: &Section<'_>, headers: &Headers, upstream: Option<&UpstreamUrl>, routes: &[Route]) {
    let place = section.place_of("headers");
    let basic = headers.set.iter().find(|(_, setting)| matches!(setting, Setting::Basic(_))).map(|(name, _)| name);
    if let Some(name) = basic
        && routes.iter().any(|route| route.access == RouteAccess::Public)
    {
        let text =
            format_args!("`set` gives the app `{name}` on public routes too: whoever comes there is served by it");
        section.report().warn(place, text);
    }
    let tokens = [BearerToken::IdToken, BearerToken::AccessToken].into_iter().any(|token| headers.hands_over(token));
    if (tokens || basic.is_some()) && upstream.is_some_and(crosses_a_network_in_the_clear) {
        section.report().warn(
            section.place_of("upstream").or(place),
            "`upstream` is plain http: whoever sees the traffic has the tokens and passwords that the app is given",
        );
    }
}

/// Claims that a header is to have and that no provider gives, or that nobody vouches for.
pub(super) fn warn_of_claims(report: &Report, place: Option<Place>, headers: &Headers, providers: &[Arc<Provider>]) {
    for (name, setting) in &headers.set {
        let Setting::Claim(path) = setting else { continue };
        for Provider { id, claims, scopes, .. } in providers.iter().map(AsRef::as_ref) {
            if let Some(scope) = standard_scope(path).filter(|scope| !scopes.iter().any(|asked| asked == scope)) {
                let text = format_args!(
                    "`{name}` stays empty: `{path}` comes with the scope \"{scope}\", which `scopes` of {id} does not ask for"
                );
                report.warn(place, text);
            }
            if path == "email" && claims.email != "email" {
                let text = format_args!(
                    "`{name}` has the claim `email` of {id}, whether or not anybody verified that address"
                );
                report.warn(place, text);
            }
        }
    }
}

fn crosses_a_network_in_the_clear(upstream: &UpstreamUrl) -> bool {
    match upstream {
        UpstreamUrl::Http(to) | UpstreamUrl::H2c(to) => {
            to.host != "localhost" && !to.host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
        }
        UpstreamUrl::Https(..) | UpstreamUrl::Unix(_) => false,
    }
}
