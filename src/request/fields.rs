//! One look at each field of a request's head, for all who ask about it.
//!
//! Framing, the audience of our own answers and the head for the upstream all depend
//! on a dozen names. A look-up each costs as much as this whole pass, and a field that
//! is looked up in several places can be read in several ways.

use http::{HeaderMap, HeaderName, HeaderValue, request::Parts};

use super::{HeaderKind, Upgrade, declares_options};

/// What stands in a head, as far as it is anything to us.
#[derive(Debug, Default)]
pub struct Fields<'h> {
    pub(super) host: Single<'h>,
    pub(super) content_length: Single<'h>,
    pub(super) transfer_encoding: Single<'h>,
    /// `Expect` that asks for something else than `100-continue`.
    pub(super) unknown_expectation: bool,
    pub(super) fetch_mode: Option<&'h HeaderValue>,
    pub(super) fetch_destination: Option<&'h HeaderValue>,
    /// Nobody may ever look at the answer.
    pub(super) speculative: bool,
    /// `X-Requested-With`
    pub(super) scripted: bool,
    /// Whether another protocol is asked for.
    upgrade: bool,
    removals: Removals,
}

/// A field that must not come twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Single<'h> {
    #[default]
    Absent,
    Once(&'h HeaderValue),
    Repeated,
}

/// What of a head must not reach the upstream.
#[derive(Debug, Default)]
pub struct Removals {
    /// These fields.
    pub names: Vec<HeaderName>,
    /// These, where a rule of the app names methods.
    pub method_overrides: Vec<HeaderName>,
    /// `Connection`
    pub connection: Presence,
    /// What it names.
    pub connection_options: Presence,
    /// `TE`, but it said that the visitor reads fields after a body (RFC 9110 §10.1.4).
    pub trailers: Presence,
    /// Our cookies.
    pub cookies: Presence,
}

/// Whether a field is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Presence {
    /// It is not.
    #[default]
    Absent,
    /// At least one line of it.
    Present,
}

impl<'h> Fields<'h> {
    /// Reads a head.
    pub fn read(headers: &'h HeaderMap) -> Self {
        let mut fields = Self::default();
        for (name, value) in headers {
            match HeaderKind::of(name) {
                HeaderKind::EndToEnd | HeaderKind::RequestId => {}
                HeaderKind::Host => fields.host.add(value),
                HeaderKind::Cookie => fields.removals.cookies = Presence::Present,
                HeaderKind::ContentLength => fields.content_length.add(value),
                HeaderKind::FetchMode => fields.fetch_mode = fields.fetch_mode.or(Some(value)),
                HeaderKind::FetchDestination => fields.fetch_destination = fields.fetch_destination.or(Some(value)),
                HeaderKind::Purpose => fields.speculative |= is_speculative(value),
                HeaderKind::RequestedWith => fields.scripted = true,
                HeaderKind::Expect => {
                    fields.unknown_expectation |= !value.as_bytes().eq_ignore_ascii_case(b"100-continue");
                    // The upstream is asked anew, where there is a body (RFC 9110 §10.1.1).
                    fields.removals.names.push(name.clone());
                }
                HeaderKind::Connection => {
                    fields.removals.connection = Presence::Present;
                    if declares_options(value) {
                        fields.removals.connection_options = Presence::Present;
                    }
                }
                HeaderKind::Upgrade => {
                    fields.upgrade = true;
                    fields.removals.names.push(name.clone());
                }
                HeaderKind::TransferEncoding => {
                    fields.transfer_encoding.add(value);
                    fields.removals.names.push(name.clone());
                }
                HeaderKind::TransferCodings => {
                    if lists_trailers(value) {
                        fields.removals.trailers = Presence::Present;
                    }
                    fields.removals.names.push(name.clone());
                }
                HeaderKind::MethodOverride => fields.removals.method_overrides.push(name.clone()),
                HeaderKind::HopByHop | HeaderKind::Forwarding | HeaderKind::Identity | HeaderKind::Underscore => {
                    fields.removals.names.push(name.clone());
                }
            }
        }
        fields
    }

    /// What the head that this was read from offers to speak instead of HTTP.
    pub fn upgrade(&self, head: &Parts) -> Option<Upgrade> {
        if self.upgrade { Upgrade::of(head) } else { None }
    }

    /// Whether its sender wants the app to serve another method than the one that is judged.
    pub fn asks_for_another_method(&self) -> bool {
        !self.removals.method_overrides.is_empty()
    }

    /// What must not reach the upstream.
    pub fn into_removals(self) -> Removals {
        self.removals
    }
}

impl<'h> Single<'h> {
    fn add(&mut self, value: &'h HeaderValue) {
        *self = match self {
            Self::Absent => Self::Once(value),
            Self::Once(_) | Self::Repeated => Self::Repeated,
        };
    }

    /// The value, if there is at most one; otherwise `error`.
    pub(super) fn at_most_one<E>(self, error: E) -> Result<Option<&'h HeaderValue>, E> {
        match self {
            Self::Absent => Ok(None),
            Self::Once(value) => Ok(Some(value)),
            Self::Repeated => Err(error),
        }
    }
}

fn lists_trailers(codings: &HeaderValue) -> bool {
    codings.as_bytes().split(|&byte| byte == b',').any(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"trailers"))
}

fn is_speculative(purpose: &HeaderValue) -> bool {
    let purpose = purpose.as_bytes().to_ascii_lowercase();
    [&b"prefetch"[..], b"prerender", b"preview"].iter().any(|word| purpose.windows(word.len()).any(|w| w == *word))
}
