//! What the provider says about itself (OpenID Connect Discovery 1.0 §3, §4; RFC 8414; RFC 9207 §3).
//!
//! Own types, since openidconnect's refuse documents that work: one without
//! `response_types_supported`, one with an empty URL. What is needed is strict
//! (the issuer to the letter, endpoints over TLS); what is optional may be missing,
//! null or empty, and what is unknown is not looked at. `token_endpoint_auth_methods_supported`
//! is often incomplete: the configuration decides, and the token endpoint judges.

use bytes::Bytes;
use http::{Request, Uri};
use http_body_util::Full;
use serde::Deserialize;
use url::{Host, Origin, Url};

use super::{
    authorization::Template,
    error::{Call, Error, Rejection, ReplyFault},
    http::{Client, Deadline},
};
use crate::config::{Provider, provider::SigningAlgorithm};

/// The metadata of one provider, checked and prepared for use.
#[derive(Debug)]
pub struct Metadata {
    pub(super) authorization: Template,
    pub(super) token_endpoint: Uri,
    /// `None` where ID tokens are keyed by the client secret, and nobody has other keys.
    pub(super) jwks_uri: Option<Uri>,
    pub(super) userinfo_endpoint: Option<Uri>,
    pub(super) end_session_endpoint: Option<Url>,
    /// What an ID token may be signed with; never empty.
    pub(super) algorithms: Vec<SigningAlgorithm>,
    pub(super) issuer_parameter: IssuerParameter,
    /// Whether it says that it checks our proofs (RFC 8414 §2); `None` where it says nothing.
    pub(super) pkce: Option<bool>,
    /// `claims_supported`; `None` where the provider does not say.
    pub(super) claims_supported: Option<Vec<String>>,
}

/// Whether each authorization response carries `iss` (RFC 9207 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IssuerParameter {
    Announced,
    Optional,
}

/// The members that we read, as they come.
#[derive(Default, Deserialize)]
struct Document {
    issuer: Option<String>,
    authorization_endpoint: Option<String>,
    token_endpoint: Option<String>,
    jwks_uri: Option<String>,
    userinfo_endpoint: Option<String>,
    end_session_endpoint: Option<String>,
    response_types_supported: Option<Vec<String>>,
    id_token_signing_alg_values_supported: Option<Vec<String>>,
    authorization_response_iss_parameter_supported: Option<bool>,
    claims_supported: Option<Vec<String>>,
    code_challenge_methods_supported: Option<Vec<String>>,
}

impl Metadata {
    /// The origins that we send a visitor's browser to.
    pub fn visited_origins(&self) -> Vec<Origin> {
        let end_session = self.end_session_endpoint.as_ref().map(Url::origin);
        self.authorization.origin().into_iter().chain(end_session).collect()
    }

    /// Fetches the document from where the configuration says that it is; where that needs none, there is nothing
    /// to fetch.
    pub(super) async fn fetch(client: &Client, provider: &Provider, deadline: Deadline) -> Result<Self, Error> {
        let Some(url) = &provider.discovery_url else { return Ok(Self::of(provider, Document::default())?) };
        let uri: Uri = url.as_str().parse().map_err(|_| Rejection::MetadataUrl)?;
        let mut request = Request::new(Full::<Bytes>::default());
        *request.uri_mut() = uri;
        let body = client.send(Call::Discovery, request, deadline).await?.success(Call::Discovery)?;
        Self::parse(&body, provider)
    }

    /// Judges a document.
    pub(super) fn parse(body: &[u8], provider: &Provider) -> Result<Self, Error> {
        let document: Document = serde_json::from_slice(body)
            .map_err(|_| Error::Reply { call: Call::Discovery, fault: ReplyFault::Malformed })?;
        if document.issuer.as_deref() != Some(provider.issuer.as_str()) {
            return Err(Rejection::MetadataIssuer.into());
        }
        if !offers_code(document.response_types_supported.as_deref().unwrap_or_default()) {
            return Err(Rejection::ResponseType.into());
        }
        Ok(Self::of(provider, document)?)
    }

    /// What the configuration says, and the document where it says nothing.
    fn of(provider: &Provider, document: Document) -> Result<Self, Rejection> {
        let transport = Transport::of(provider);
        let endpoint = |configured: &Option<Url>, text: Option<String>| match configured {
            Some(url) => Ok(Some(url.clone())),
            None => transport.endpoint(text.as_deref()),
        };
        let required = |configured, text| endpoint(configured, text)?.ok_or(Rejection::MetadataEndpoint);
        let configured = &provider.endpoints;
        let keyed_by_secret = provider.id_token_alg.is_some_and(SigningAlgorithm::is_symmetric);
        let jwks_uri = match endpoint(&configured.jwks, document.jwks_uri)? {
            None if !keyed_by_secret => return Err(Rejection::MetadataEndpoint),
            jwks_uri => jwks_uri.as_ref().map(uri).transpose()?,
        };
        Ok(Self {
            authorization: Template::new(
                &required(&configured.authorization, document.authorization_endpoint)?,
                provider,
            ),
            token_endpoint: uri(&required(&configured.token, document.token_endpoint)?)?,
            jwks_uri,
            userinfo_endpoint: endpoint(&configured.userinfo, document.userinfo_endpoint)?
                .as_ref()
                .map(uri)
                .transpose()?,
            end_session_endpoint: endpoint(&configured.end_session, document.end_session_endpoint)?,
            algorithms: expected_algorithms(
                provider.id_token_alg,
                &document.id_token_signing_alg_values_supported.unwrap_or_default(),
            )?,
            issuer_parameter: match document.authorization_response_iss_parameter_supported {
                Some(true) => IssuerParameter::Announced,
                Some(false) | None => IssuerParameter::Optional,
            },
            pkce: document
                .code_challenge_methods_supported
                .map(|methods| methods.iter().any(|method| method == "S256")),
            claims_supported: document.claims_supported.filter(|claims| !claims.is_empty()),
        })
    }

    /// Whether it says that it checks the proof that a code is ours (PKCE S256); `None` where it says nothing.
    pub fn offers_pkce(&self) -> Option<bool> {
        self.pkce
    }

    /// Whether a sign-out can go on to the provider's own (RP-Initiated Logout §2.1).
    pub fn offers_end_session(&self) -> bool {
        self.end_session_endpoint.is_some()
    }

    /// An answer of the authorization endpoint comes from this provider (RFC 9207 §2.4), as far as it says.
    pub(super) fn check_issuer_parameter(&self, provider: &Provider, iss: Option<&str>) -> Result<(), Rejection> {
        match (iss, self.issuer_parameter) {
            (Some(iss), _) if iss == provider.issuer.as_str() => Ok(()),
            (Some(_), _) => Err(Rejection::IssuerParameter),
            (None, IssuerParameter::Announced) => Err(Rejection::IssuerParameterMissing),
            (None, IssuerParameter::Optional) => Ok(()),
        }
    }
}

/// Response types are sets of words (OAuth 2.0 Multiple Response Types §2); a list that is absent or empty says nothing.
fn offers_code(response_types: &[String]) -> bool {
    response_types.is_empty() || response_types.iter().any(|set| set.split_ascii_whitespace().eq(["code"]))
}

/// The configured algorithm; else RS256, which every provider must offer (OpenID Connect
/// Core §15.1); else, where the provider says that it does not, what it lists.
fn expected_algorithms(
    configured: Option<SigningAlgorithm>,
    listed: &[String],
) -> Result<Vec<SigningAlgorithm>, Rejection> {
    if let Some(configured) = configured {
        return Ok(vec![configured]);
    }
    let rs256 = SigningAlgorithm::RS256;
    if listed.is_empty() || listed.iter().any(|name| name == rs256.as_str()) {
        return Ok(vec![rs256]);
    }
    let asymmetric = |algorithm: &SigningAlgorithm| {
        !algorithm.is_symmetric() && listed.iter().any(|name| name == algorithm.as_str())
    };
    let algorithms: Vec<_> = SigningAlgorithm::ALL.into_iter().filter(asymmetric).collect();
    if algorithms.is_empty() { Err(Rejection::NoAlgorithm) } else { Ok(algorithms) }
}

/// What an endpoint's URL must look like.
#[derive(Clone, Copy)]
enum Transport {
    /// The issuer is on this host, or is itself http: the configuration has judged that.
    PlainAllowed,
    Tls,
}

impl Transport {
    fn of(provider: &Provider) -> Self {
        let loopback = |issuer: &Url| match issuer.host() {
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"), // RFC 6761 §6.3
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        let issuer = Url::parse(provider.issuer.as_str());
        if issuer.is_ok_and(|issuer| issuer.scheme() == "http" || loopback(&issuer)) {
            Self::PlainAllowed
        } else {
            Self::Tls
        }
    }

    /// An endpoint; an empty text is an absent one.
    fn endpoint(self, text: Option<&str>) -> Result<Option<Url>, Rejection> {
        let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
        let url = Url::parse(text).map_err(|_| Rejection::MetadataUrl)?;
        match (url.scheme(), self) {
            ("https", _) | ("http", Self::PlainAllowed) => {}
            ("http", Self::Tls) => return Err(Rejection::InsecureEndpoint),
            _ => return Err(Rejection::MetadataUrl),
        }
        // RFC 6749 §3.1 and §3.2 forbid the fragment; credentials in a URL belong to nobody we know.
        if url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
            return Err(Rejection::MetadataUrl);
        }
        Ok(Some(url))
    }
}

fn uri(url: &Url) -> Result<Uri, Rejection> {
    url.as_str().parse().map_err(|_| Rejection::MetadataUrl)
}

#[cfg(test)]
mod tests;
