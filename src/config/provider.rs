//! `[[provider]]`: one OpenID Provider and how we are registered there.

use aws_lc_rs::digest;
use data_encoding::BASE64URL_NOPAD;
use url::Url;

use crate::{
    config::BearerToken,
    identity::{Issuer, ProviderId},
    secret::Secret,
};

mod endpoints;
mod parameters;
mod proxy;
mod read;
mod standard_claims;

pub use standard_claims::standard_scope;

pub use endpoints::Endpoints;
pub use parameters::AuthorizationParameters;
pub use proxy::OutboundProxy;
pub(super) use read::{Providers, parse_claim_path, parse_name, read_id};

/// `[[provider]]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider {
    /// `id`
    pub id: ProviderId,
    /// `issuer`, exactly as the provider states it.
    pub issuer: Issuer,
    /// Where the metadata is: `discovery_url`, or `/.well-known/openid-configuration` below the issuer. `None` where
    /// `endpoints` are enough.
    pub discovery_url: Option<Url>,
    /// What goes before the metadata.
    pub endpoints: Endpoints,
    /// `client_id`
    pub client_id: String,
    /// `client_auth` and the secret that it needs.
    pub client_auth: ClientAuth,
    /// The same with `client_secret_next`: tried where the provider refuses the one before, and the other way round.
    pub next_client_auth: Option<ClientAuth>,
    /// `scopes`, `openid` among them.
    pub scopes: Vec<String>,
    /// What else each sign-in asks for.
    pub parameters: AuthorizationParameters,
    /// `require_auth_time`: whether the provider has to say when somebody signed in there. With `max_age` it always has.
    pub require_auth_time: bool,
    /// `id_token_signed_response_alg`; `None` = RS256, or the asymmetric ones that discovery lists where RS256 is not among them.
    pub id_token_alg: Option<SigningAlgorithm>,
    /// `claims`
    pub claims: ClaimNames,
    /// Claims that conditions and headers of apps name (dotted paths), to be kept with the session.
    pub kept_claims: Vec<String>,
    /// Tokens that some app is handed, to be kept with the session.
    pub kept_tokens: Vec<BearerToken>,
    /// `trust_email`, resolved.
    pub trust_email: TrustEmail,
    /// `userinfo`
    pub userinfo: UserInfo,
    /// `display_name`, or the id.
    pub display_name: String,
    /// `proxy`
    pub proxy: OutboundProxy,
    /// `ca_file`: PEM certificates trusted beside the system's.
    pub extra_roots: Vec<rustls::pki_types::CertificateDer<'static>>,
}

impl Provider {
    /// On what terms its word is taken, as a digest: whose it is, and what of it is kept and believed. A session that
    /// was made on other terms says nothing about these (CVE-2021-41230).
    pub fn terms(&self) -> String {
        let Self { issuer, client_id, claims, trust_email, kept_claims, userinfo, .. } = self;
        let terms = format!("{:?}", (issuer, client_id, claims, trust_email, kept_claims, userinfo));
        BASE64URL_NOPAD.encode(digest::digest(&digest::SHA256, terms.as_bytes()).as_ref())
    }

    /// Whether what was learnt of the provider under one of the two holds under the other. It does where only that
    /// differs by which we prove who we are, or what we make of an answer; any other key may matter.
    pub fn is_known_as(&self, other: &Self) -> bool {
        *self
            == Self {
                client_auth: self.client_auth.clone(),
                next_client_auth: self.next_client_auth.clone(),
                claims: self.claims.clone(),
                kept_claims: self.kept_claims.clone(),
                trust_email: self.trust_email,
                userinfo: self.userinfo,
                display_name: self.display_name.clone(),
                ..other.clone()
            }
    }
}

/// How we authenticate at the token endpoint (OpenID Connect Core §9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    /// `client_secret_basic`
    Basic(Secret<String>),
    /// `client_secret_post`
    Post(Secret<String>),
    /// `none`: a public client, PKCE alone.
    None,
}

impl ClientAuth {
    /// The shared secret, for the algorithms that are keyed by it.
    pub fn secret(&self) -> Option<&Secret<String>> {
        match self {
            Self::Basic(secret) | Self::Post(secret) => Some(secret),
            Self::None => None,
        }
    }
}

/// Which claim is what: dotted paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimNames {
    /// Names the visitor in `X-Forwarded-User`.
    pub user: String,
    /// Their address.
    pub email: String,
    /// Their display name.
    pub name: String,
    /// Their groups: a list of strings, or one string.
    pub groups: String,
    /// Their user name.
    pub preferred_username: String,
}

/// `trust_email`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrustEmail {
    /// `email_verified` is true, or "true".
    Verified,
    /// The operator vouches for the provider.
    Always,
    /// Addresses never count.
    Never,
}

/// `userinfo`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserInfo {
    /// Where the ID token lacks a configured claim.
    Auto,
    /// At each sign-in.
    Always,
    /// Not at all.
    Never,
}

/// Algorithms an ID token may be signed with (RFC 7518 §3.1, RFC 8037); `none` is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names of the registry say it all")]
pub enum SigningAlgorithm {
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    ES512,
    EdDSA,
    HS256,
    HS384,
    HS512,
}

impl SigningAlgorithm {
    /// All of them, asymmetric ones first.
    pub const ALL: [Self; 13] = [
        Self::RS256,
        Self::RS384,
        Self::RS512,
        Self::PS256,
        Self::PS384,
        Self::PS512,
        Self::ES256,
        Self::ES384,
        Self::ES512,
        Self::EdDSA,
        Self::HS256,
        Self::HS384,
        Self::HS512,
    ];

    /// The registered name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RS256 => "RS256",
            Self::RS384 => "RS384",
            Self::RS512 => "RS512",
            Self::PS256 => "PS256",
            Self::PS384 => "PS384",
            Self::PS512 => "PS512",
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::ES512 => "ES512",
            Self::EdDSA => "EdDSA",
            Self::HS256 => "HS256",
            Self::HS384 => "HS384",
            Self::HS512 => "HS512",
        }
    }

    /// The algorithm of a registered name; names are case-sensitive (RFC 7515 §4.1.1).
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|a| a.as_str() == name)
    }

    /// Whether it is keyed by the client secret.
    pub const fn is_symmetric(self) -> bool {
        matches!(self, Self::HS256 | Self::HS384 | Self::HS512)
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    #[test]
    fn a_new_secret_or_another_use_of_claims_makes_no_other_provider_of_it() {
        const APP: &str = "[[app]]\nid = \"wiki\"\npublic_url = \"https://wiki.example.com\"\n\
                           upstream = \"http://127.0.0.1:8080\"\n";
        let provider = |lines: &str, access: &str| {
            let text = format!("[[provider]]\nid = \"company\"\n{lines}\n{APP}[app.access]\n{access}\n");
            let config = Config::parse("vestibule.toml", &text).unwrap_or_else(|faults| panic!("{faults}\n{text}"));
            config.providers[0].as_ref().clone()
        };
        let usual = "issuer = \"https://id.example.com\"\nclient_id = \"wiki\"\nclient_secret = \"s3cr3t\"";
        let anyone = "policy = \"anyone\"";
        let before = provider(usual, anyone);
        assert_eq!(before, provider(usual, anyone));
        for (lines, access, is_known) in [
            (usual.replace("s3cr3t", "another"), anyone, true),
            (format!("{usual}\nclient_auth = \"client_secret_post\""), anyone, true),
            (format!("{usual}\nclient_secret_next = \"another\""), anyone, true),
            (format!("{usual}\nclaims = {{ user = \"email\" }}\ntrust_email = \"never\""), anyone, true),
            (format!("{usual}\nuserinfo = \"never\"\ndisplay_name = \"Company\""), anyone, true),
            (usual.to_owned(), "policy = \"listed\"\nallow = [{ claim = \"hd\", is = \"example.com\" }]", true),
            (usual.replace("wiki", "docs"), anyone, false),
            (usual.replace("id.example", "sso.example"), anyone, false),
            (format!("{usual}\nscopes = [\"openid\"]"), anyone, false),
            (format!("{usual}\nprompt = \"login\""), anyone, false),
            (format!("{usual}\ndiscovery_url = \"https://id.example.com/metadata\""), anyone, false),
            (format!("{usual}\nid_token_signed_response_alg = \"ES256\""), anyone, false),
        ] {
            let after = provider(&lines, access);
            assert_ne!(after, before, "{lines} {access}");
            assert_eq!((after.is_known_as(&before), before.is_known_as(&after)), (is_known, is_known), "{lines}");
        }
    }
}
