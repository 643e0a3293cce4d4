//! What can go wrong between a provider and us, told apart by what a person can do about it.
//!
//! Nothing here carries a token, a code or the text of a provider's answer: an
//! error is logged and counted. The bounded words that an answer may hold (OAuth
//! error codes) are enums of their own.

use std::{fmt, sync::Arc};

use thiserror::Error;

/// A request of ours to the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    /// The metadata document.
    Discovery,
    /// The key set at `jwks_uri`.
    Keys,
    /// The token endpoint.
    Token,
    /// The `UserInfo` endpoint.
    UserInfo,
}

impl Call {
    /// All of them, for labels that are resolved once.
    pub const ALL: [Self; 4] = [Self::Discovery, Self::Keys, Self::Token, Self::UserInfo];

    /// The label in metrics and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Discovery => "discovery",
            Self::Keys => "keys",
            Self::Token => "token",
            Self::UserInfo => "userinfo",
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Discovery => "metadata document",
            Self::Keys => "key set",
            Self::Token => "token endpoint",
            Self::UserInfo => "userinfo endpoint",
        })
    }
}

/// Why something that needs the provider came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Error {
    /// No connection, or it was lost before the answer was whole: 502.
    #[error("the provider's {call} cannot be reached: {cause}")]
    Unreachable {
        /// What was asked.
        call: Call,
        /// What the network, TLS or HTTP said.
        cause: Arc<str>,
    },
    /// The step's deadline passed: 504.
    #[error("the provider's {call} did not answer in time")]
    TooSlow {
        /// What was asked.
        call: Call,
    },
    /// The provider said no, in OAuth's words.
    #[error("the provider's {call} refused: {code}{}", code.advice())]
    Refused {
        /// What was asked.
        call: Call,
        /// Its reason.
        code: ErrorCode,
    },
    /// An answer that cannot be used, whatever it was about.
    #[error("the provider's {call} {fault}")]
    Reply {
        /// What was asked.
        call: Call,
        /// What is wrong with the answer.
        fault: ReplyFault,
    },
    /// An answer that was understood and must not be believed.
    #[error("the provider's answer is refused: {0}")]
    Rejected(#[from] Rejection),
}

impl Error {
    /// The label in metrics and logs: one of a fixed set.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "unreachable",
            Self::TooSlow { .. } => "too_slow",
            Self::Refused { code, .. } => code.as_str(),
            Self::Reply { fault, .. } => fault.reason(),
            Self::Rejected(rejection) => rejection.reason(),
        }
    }
}

/// What makes an HTTP answer unusable before its content counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ReplyFault {
    /// Neither success nor an error in OAuth's form.
    #[error("answered with status {0}")]
    Status(u16),
    /// A redirect; following one would let the answer choose whom we talk to.
    #[error("answered with a redirect, and none is followed: configure the final URL")]
    Redirect,
    /// Compressed although we asked for `identity`: its real size is unknown.
    #[error("answered with a Content-Encoding that was not asked for")]
    ContentEncoding,
    /// More than we are willing to hold.
    #[error("answered with more than 1 MiB")]
    TooLarge,
    /// Not the JSON of the specification.
    #[error("answered with something else than the expected JSON")]
    Malformed,
}

impl ReplyFault {
    /// The label in metrics and logs.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Status(_) => "status",
            Self::Redirect => "redirect",
            Self::ContentEncoding => "content_encoding",
            Self::TooLarge => "too_large",
            Self::Malformed => "malformed",
        }
    }
}

/// Defines the rejections as the table that they are: variant, label, sentence.
macro_rules! rejections {
    ($($variant:ident $reason:literal $text:literal)*) => {
        /// Each check that an answer can fail.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
        pub enum Rejection {$(
            #[doc = $text]
            #[error($text)]
            $variant,
        )*}

        impl Rejection {
            /// The label in metrics and logs.
            pub const fn reason(self) -> &'static str {
                match self {$(Self::$variant => $reason,)*}
            }
        }
    };
}

rejections! {
    // Metadata (OpenID Connect Discovery §3, §4.3).
    MetadataIssuer "metadata_issuer" "the `issuer` of the metadata is not the configured one, to the letter: compare `issuer` with the document at `discovery_url`"
    MetadataEndpoint "metadata_endpoint" "`authorization_endpoint`, `token_endpoint` or `jwks_uri` is missing from the metadata"
    MetadataUrl "metadata_url" "an endpoint in the metadata is no usable URL"
    InsecureEndpoint "insecure_endpoint" "an endpoint in the metadata is not https, and the issuer is not on this host"
    ResponseType "response_type" "the metadata does not list the response type `code`"
    NoAlgorithm "no_algorithm" "the metadata lists no asymmetric algorithm for ID tokens: set `id_token_signed_response_alg`"
    // The authorization response (RFC 9207 §2.4).
    IssuerParameterMissing "iss_parameter_missing" "the answer lacks `iss`, although the provider announces it"
    IssuerParameter "iss_parameter" "the answer's `iss` is another issuer"
    // The token response (RFC 6749 §5.1, OpenID Connect Core §3.1.3.3).
    TokenType "token_type" "the token type is not Bearer"
    AccessToken "access_token" "the access token is missing or no header could carry it"
    IdTokenMissing "id_token_missing" "there is no ID token: is `openid` among the scopes that this client may have?"
    // The signature (RFC 7515, RFC 7517, RFC 8725).
    Encrypted "encrypted" "the ID token is encrypted: turn encryption off at the provider"
    TokenFormat "token_format" "the ID token is no signed JWT"
    Algorithm "alg" "the ID token's `alg` is not the expected one: compare `id_token_signed_response_alg`"
    Critical "crit" "the ID token's header demands an extension (`crit`)"
    HeaderKey "header_key" "the ID token's header brings its own key (`jwk`, `jku` or `x5u`)"
    Type "typ" "the token's `typ` is not that of an ID token"
    UnknownKey "unknown_key" "no key of the provider fits the ID token's `kid` and `alg`"
    AmbiguousKey "ambiguous_key" "too many keys of the provider could have signed the ID token"
    Signature "signature" "the ID token's signature is wrong"
    // The claims (OpenID Connect Core §2, §3.1.3.7, §3.1.3.8).
    ClaimsFormat "claims_format" "the ID token's claims are no JSON object"
    Issuer "iss" "the ID token's `iss` is not the configured issuer"
    Audience "aud" "the ID token is for another client"
    ForeignAudience "aud_foreign" "the ID token is also for another client"
    AuthorizedParty "azp" "the ID token was issued to another client"
    Expiry "exp_invalid" "the ID token's `exp` is missing or no date"
    Expired "exp" "the ID token has expired: compare the clocks"
    IssuedAt "iat_invalid" "the ID token's `iat` is missing or no date"
    IssuedInFuture "iat_future" "the ID token was issued in the future: compare the clocks"
    IssuedLongAgo "iat_old" "the ID token was issued too long ago: compare the clocks"
    NotBefore "nbf" "the ID token is not valid yet: compare the clocks"
    AuthTimeMissing "auth_time_missing" "the ID token's `auth_time` is missing or no date, and `max_age` or `require_auth_time` asks for it"
    AuthTimeInFuture "auth_time_future" "the visitor signed in at the provider in the future: compare the clocks"
    AuthTimeOld "auth_time_old" "the visitor signed in at the provider longer ago than `max_age` allows: the provider ignores it, or its clock is wrong"
    Nonce "nonce" "the ID token's `nonce` is not that of this sign-in"
    Subject "sub" "the ID token's `sub` is missing, empty, too long or no string"
    AccessTokenHash "at_hash" "the ID token's `at_hash` is not that of the access token"
    // UserInfo (OpenID Connect Core §5.3).
    UserInfoEndpoint "userinfo_endpoint" "`userinfo = \"always\"`, but the metadata names no userinfo endpoint"
    UserInfoSigned "userinfo_signed" "the userinfo answer is a JWT: turn its signing off at the provider"
    UserInfoSubject "userinfo_sub" "the userinfo answer is about another `sub`"
}

/// Defines the error codes with their registered names.
macro_rules! error_codes {
    ($($(#[$doc:meta])* $variant:ident $name:literal)*) => {
        /// OAuth's and OpenID Connect's reasons to refuse, and one for whatever else is said
        /// (RFC 6749 §4.1.2.1 and §5.2, OpenID Connect Core §3.1.2.6).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $($(#[$doc])* $variant,)*
            /// None of the registered ones.
            Other,
        }

        impl ErrorCode {
            /// The code of a registered name; any other text, however long or odd, is [`Self::Other`].
            pub fn from_name(name: &str) -> Self {
                match name {
                    $($name => Self::$variant,)*
                    _ => Self::Other,
                }
            }

            /// The registered name, or `other`: the label in metrics and logs.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                    Self::Other => "other",
                }
            }
        }
    };
}

error_codes! {
    /// The request lacks something or says it twice.
    InvalidRequest "invalid_request"
    /// The client may not use this grant or response type.
    UnauthorizedClient "unauthorized_client"
    /// The visitor or the provider said no.
    AccessDenied "access_denied"
    /// The response type is not offered.
    UnsupportedResponseType "unsupported_response_type"
    /// A scope is unknown or not allowed.
    InvalidScope "invalid_scope"
    /// The provider failed.
    ServerError "server_error"
    /// The provider is overloaded or down for maintenance.
    TemporarilyUnavailable "temporarily_unavailable"
    /// The client is unknown or did not authenticate.
    InvalidClient "invalid_client"
    /// The code is unknown, used, expired or not ours.
    InvalidGrant "invalid_grant"
    /// The grant type is not offered.
    UnsupportedGrantType "unsupported_grant_type"
    /// `prompt=none`, and the visitor would have to do something.
    InteractionRequired "interaction_required"
    /// `prompt=none`, and the visitor is not signed in there.
    LoginRequired "login_required"
    /// `prompt=none`, and the visitor would have to choose an account.
    AccountSelectionRequired "account_selection_required"
    /// `prompt=none`, and the visitor would have to consent.
    ConsentRequired "consent_required"
    /// Request objects by reference: not readable.
    InvalidRequestUri "invalid_request_uri"
    /// Request objects: not valid.
    InvalidRequestObject "invalid_request_object"
    /// Request objects are not offered.
    RequestNotSupported "request_not_supported"
    /// Request objects by reference are not offered.
    RequestUriNotSupported "request_uri_not_supported"
    /// Registration in the request is not offered.
    RegistrationNotSupported "registration_not_supported"
}

impl ErrorCode {
    /// What the operator can do, as the end of a sentence; empty where nothing general can be said.
    const fn advice(self) -> &'static str {
        match self {
            Self::InvalidClient => " (compare client_id, client_secret and client_auth with the registration)",
            Self::InvalidGrant => {
                " (the code was used before, is too old, or the redirect URI differs from the registered one)"
            }
            Self::UnauthorizedClient | Self::UnsupportedGrantType => {
                " (allow the authorization code grant for this client at the provider)"
            }
            Self::InvalidScope => " (compare `scopes` with what the provider offers to this client)",
            Self::UnsupportedResponseType => " (allow the response type `code` for this client at the provider)",
            _ => "",
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_to_do_and_counts_under_its_registered_name() {
        let error = Error::Refused { call: Call::Token, code: ErrorCode::from_name("invalid_client") };
        assert_eq!(error.reason(), "invalid_client");
        assert_eq!(
            error.to_string(),
            "the provider's token endpoint refused: invalid_client \
             (compare client_id, client_secret and client_auth with the registration)"
        );
    }

    #[test]
    fn an_unregistered_code_never_becomes_a_label_of_its_own() {
        for name in ["", "Invalid_Client", "invalid_client\u{0}", "x".repeat(100_000).as_str()] {
            assert_eq!(ErrorCode::from_name(name).as_str(), "other");
        }
    }

    #[test]
    fn a_rejection_reads_as_a_sentence() {
        let error = Error::from(Rejection::Audience);
        assert_eq!(error.reason(), "aud");
        assert_eq!(error.to_string(), "the provider's answer is refused: the ID token is for another client");
    }
}
