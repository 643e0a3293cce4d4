//! The labels of the counters: typed, so that their values are few by construction.
//!
//! A label value is an id of the configuration, a variant of an enum here, or a
//! `&'static str` of the code. Nothing that arrives over the network can become one.

use std::fmt::Write as _;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};

use crate::identity::{AppId, ProviderId};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct AppLabel {
    app: String,
}

impl AppLabel {
    pub(super) fn new(app: &AppId) -> Self {
        Self { app: app.as_str().to_owned() }
    }

    /// No app has an empty id.
    pub(super) fn none() -> Self {
        Self { app: String::new() }
    }

    pub(super) fn because(&self, reason: &'static str) -> AppReason {
        AppReason { app: self.app.clone(), reason }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct AppClass {
    app: String,
    class: &'static str,
}

impl AppClass {
    pub(super) const COUNT: usize = CLASSES.len();

    /// Every class of one app, in the order of [`AppClass::index`].
    pub(super) fn all(app: &AppLabel) -> [Self; Self::COUNT] {
        CLASSES.map(|class| Self { app: app.app.clone(), class })
    }

    /// Where a status is counted; what HTTP does not know counts as a server's error (RFC 9110 §15).
    pub(super) fn index(status: u16) -> usize {
        match status {
            100..=199 => 0,
            200..=299 => 1,
            300..=399 => 2,
            400..=499 => 3,
            _ => 4,
        }
    }
}

const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct AppReason {
    app: String,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ReasonLabel {
    pub(super) reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ProviderLabel {
    provider: String,
}

impl ProviderLabel {
    pub(super) fn new(provider: &ProviderId) -> Self {
        Self { provider: provider.as_str().to_owned() }
    }

    pub(super) fn succeeded(&self) -> SignInLabel {
        self.sign_in("succeeded", "")
    }

    pub(super) fn failed(&self, reason: &'static str) -> SignInLabel {
        self.sign_in("failed", reason)
    }

    fn sign_in(&self, outcome: &'static str, reason: &'static str) -> SignInLabel {
        SignInLabel { provider: self.provider.clone(), outcome, reason }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct SignInLabel {
    provider: String,
    outcome: &'static str,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct CallLabel {
    provider: String,
    call: ProviderCall,
}

impl CallLabel {
    /// Every call to one provider, in the order of the variants.
    pub(super) fn all(provider: &ProviderLabel) -> [Self; ProviderCall::ALL.len()] {
        ProviderCall::ALL.map(|call| Self { provider: provider.provider.clone(), call })
    }
}

/// A call that we make to a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProviderCall {
    /// Its metadata (Discovery 1.0 §4).
    Discovery,
    /// Its keys (RFC 7517 §5).
    Keys,
    /// The token endpoint (RFC 6749 §3.2).
    Token,
    /// The userinfo endpoint (OIDC Core §5.3).
    Userinfo,
}

impl ProviderCall {
    pub(super) const ALL: [Self; 4] = [Self::Discovery, Self::Keys, Self::Token, Self::Userinfo];
}

impl EncodeLabelValue for ProviderCall {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> std::fmt::Result {
        encoder.write_str(match self {
            Self::Discovery => "discovery",
            Self::Keys => "keys",
            Self::Token => "token",
            Self::Userinfo => "userinfo",
        })
    }
}

/// What became of a configuration that was read while the process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reload {
    /// It is in use.
    Taken,
    /// It has faults or cannot be used, and the one before goes on.
    Refused,
}

impl EncodeLabelValue for Reload {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> std::fmt::Result {
        encoder.write_str(match self {
            Self::Taken => "taken",
            Self::Refused => "refused",
        })
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ReloadLabel {
    pub(super) outcome: Reload,
}

/// Whether a provider's metadata and keys have been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metadata {
    /// They have.
    Known,
    /// Not yet.
    Unknown,
}
