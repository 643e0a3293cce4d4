//! `[[provider]]` and its `claims`

use super::{
    Form, Key,
    Kind::{self, Date, Flag, List, Names, Path, Pattern, Secret, Table, Text, Time, Words},
    Section,
    Without::{Default, Fault, Nothing, Usual},
};

/// `id` of a provider and of an app.
pub(super) const ID: Kind = Pattern("^[a-z0-9-]{1,64}$");

/// An absolute URL, as `location` reads one; the scheme is judged there.
pub(super) const URL: Kind = Pattern("^https?://[^\\s?#\\\\]+$");

/// The same, or `""`.
pub(super) const OPTIONAL_URL: Kind = Pattern("^(https?://[^\\s?#\\\\]+)?$");

/// As a URL, with a query if the provider wants one.
pub(super) const ENDPOINT: Kind = Pattern("^(https?://[^\\s#\\\\]+)?$");

/// One of several values that a parameter separates by spaces.
const WORD: Kind = Pattern("^\\S+$");

/// How a client can prove who it is (OpenID Connect Core §9, RFC 8705).
const CLIENT_AUTH: Kind = Words(&super::Words {
    now: &["client_secret_basic", "client_secret_post", "none"],
    later: &["client_secret_jwt", "private_key_jwt", "tls_client_auth", "workload_identity"],
});

pub(super) const PROVIDER: Section = Section {
    name: "provider",
    form: Form::Tables,
    about: "An OpenID Provider, and how we are registered there.",
    keys: &[
        Key::now("id", ID, Fault, "What others call it here: a-z, 0-9 and -.").example(r#""company""#),
        Key::now(
            "preset",
            Words(&super::Words {
                now: &["generic"],
                later: &["entra", "keycloak", "google", "okta", "auth0", "gitlab", "encvoy"],
            }),
            Default(r#""generic""#),
            "What is known of this make of provider.",
        ),
        Key::now("issuer", URL, Fault, "Exactly as the provider's metadata says.")
            .example(r#""https://id.example.com""#),
        Key::later("tenant", Text, Nothing, "The directory of Entra ID, in place of the issuer."),
        Key::later("allowed_tenants", List(&Text), Default("[]"), "Whose people may come, where the tenant is common."),
        Key::now("discovery_url", OPTIONAL_URL, Default(r#""""#), "Where the metadata is, if not below the issuer."),
        Key::now(
            "authorization_endpoint",
            ENDPOINT,
            Default(r#""""#),
            "This and the next four go before what the metadata says; with the first three (and the fourth where userinfo = \"always\") no metadata is fetched.",
        ),
        Key::now("token_endpoint", ENDPOINT, Default(r#""""#), "Where codes are exchanged."),
        Key::now("jwks_uri", ENDPOINT, Default(r#""""#), "Where the keys of ID tokens are."),
        Key::now("userinfo_endpoint", ENDPOINT, Default(r#""""#), "Where more claims are."),
        Key::now("end_session_endpoint", ENDPOINT, Default(r#""""#), "Where people sign out at the provider."),
        Key::later("revocation_endpoint", ENDPOINT, Default(r#""""#), "In place of the metadata's."),
        Key::later("introspection_endpoint", ENDPOINT, Default(r#""""#), "In place of the metadata's."),
        Key::now(
            "insecure_http",
            Flag,
            Default("false"),
            "true: plain http to a provider that is not on this machine.",
        ),
        Key::now(
            "proxy",
            Pattern("^(https?://\\S+)?$"),
            Default(r#""""#),
            "The way out; \"\": what HTTPS_PROXY and NO_PROXY say, for https.",
        )
        .example(r#""http://proxy.example:3128""#),
        Key::now("ca_file", Path, Default(r#""""#), "PEM certificates, trusted beside the system's.")
            .example(r#""ca.pem""#),
        Key::now("client_id", Text, Fault, "As whom we are registered.").example(r#""wiki""#),
        Key::now("client_secret_file", Path, Usual, "Without a secret: a public client, with PKCE alone.")
            .example(r#""client-secret""#),
        Key::now("client_secret", Secret, Nothing, "The same, written here."),
        Key::now("client_secret_next_file", Path, Nothing, "A second secret, tried when the first is refused.")
            .example(r#""client-secret-next""#),
        Key::now("client_secret_next", Secret, Nothing, "The same, written here."),
        Key::later("client_secret_expires", Date, Nothing, "Warns 30 days before.").example("2027-10-17"),
        Key::now(
            "client_auth",
            CLIENT_AUTH,
            Default(r#""client_secret_basic""#),
            "client_secret_basic, client_secret_post or none; without a secret, none.",
        ),
        Key::later("client_key_file", Path, Nothing, "For private_key_jwt: PEM or JWK."),
        Key::later("client_key", Secret, Nothing, "The same, written here."),
        Key::later("client_certificate_file", Path, Nothing, "For x5t#S256 and for mutual TLS."),
        Key::later("decryption_key_file", Path, Nothing, "Opens encrypted ID tokens and userinfo."),
        Key::later("decryption_key", Secret, Nothing, "The same, written here."),
        Key::later("federated_token_file", Path, Nothing, "For workload_identity; read at each use."),
        Key::later("revocation_auth", CLIENT_AUTH, Nothing, "As client_auth, for revocation."),
        Key::later("introspection_auth", CLIENT_AUTH, Nothing, "As client_auth, for introspection."),
        Key::later("email_domains", List(&Text), Default("[]"), "The sign-in page sends these addresses here."),
        Key::later("graph_url", OPTIONAL_URL, Default(r#""""#), "Microsoft Graph of a sovereign cloud."),
        Key::now(
            "scopes",
            List(&Pattern("^[!#-\\[\\]-~]+$")),
            Default(r#"["openid", "profile", "email"]"#),
            "What is asked for; openid always.",
        ),
        Key::later(
            "response_type",
            Words(&super::Words {
                now: &["code", "code id_token", "code token", "code id_token token", "id_token"],
                later: &[],
            }),
            Default(r#""code""#),
            "What the provider sends back.",
        ),
        Key::later(
            "response_mode",
            Words(&super::Words { now: &["query", "form_post", "fragment"], later: &[] }),
            Default(r#""""#),
            "How it is sent back.",
        ),
        Key::later(
            "request_object",
            Words(&super::Words { now: &["none", "par", "signed", "signed+par", "request_uri"], later: &[] }),
            Default(r#""none""#),
            "How the question is sent.",
        ),
        Key::now(
            "id_token_signed_response_alg",
            Words(&super::Words {
                now: &[
                    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "HS256",
                    "HS384", "HS512",
                ],
                later: &[],
            }),
            Default(r#""""#),
            "\"\": RS256, or what the provider's metadata offers with a public key.",
        ),
        Key::now(
            "prompt",
            Pattern("^([a-z_]+( [a-z_]+)*)?$"),
            Default(r#""""#),
            "What the provider is to ask at each sign-in: login, consent, select_account; several with a space between.",
        ),
        Key::now("login_hint", Text, Default(r#""""#), "Whom the provider may take every visitor for."),
        Key::now("domain_hint", Text, Default(r#""""#), "Entra ID: the domain whose sign-in page comes at once."),
        Key::now("acr_values", List(&WORD), Default("[]"), "How the provider is to make sure who it is, as it calls that.")
            .example(r#"["phr"]"#),
        Key::now(
            "max_age",
            Time("1s", "3650d"),
            Nothing,
            "How long ago somebody may have signed in at the provider; who has not since does it anew, and its answer must say when.",
        )
        .example(r#""12h""#),
        Key::now(
            "require_auth_time",
            Flag,
            Default("false"),
            "true: an answer that does not say when somebody signed in is refused.",
        ),
        Key::now(
            "ui_locales",
            List(&Pattern("^[A-Za-z0-9]{1,8}(-[A-Za-z0-9]{1,8})*$")),
            Default("[]"),
            "Languages for the provider's pages, the best first.",
        )
        .example(r#"["de-CH", "fr"]"#),
        Key::now(
            "resource",
            List(&Pattern("^[A-Za-z][A-Za-z0-9+.-]*:[^\\s#]+$")),
            Default("[]"),
            "For whom the access token is to be (RFC 8707): absolute URIs.",
        )
        .example(r#"["https://api.example.com"]"#),
        Key::now(
            "extra_params",
            Names(&Text),
            Nothing,
            "Any other parameters of the request that sends somebody to the provider.",
        )
        .example(r#"{ audience = "wiki" }"#),
        Key::now(
            "trust_email",
            Words(&super::Words { now: &["verified", "always", "never"], later: &[] }),
            Default(r#""""#),
            "verified, always or never; \"\" is verified: only where `email_verified` is true.",
        ),
        Key::now(
            "userinfo",
            Words(&super::Words { now: &["auto", "always", "never"], later: &[] }),
            Default(r#""auto""#),
            "auto (where the ID token lacks a claim), always or never.",
        ),
        Key::later("bearer", Flag, Default("false"), "Accept `Authorization: Bearer` with tokens of this issuer."),
        Key::later("audiences", List(&Text), Default("[]"), "For whom such tokens must be."),
        Key::now("display_name", Text, Default(r#""""#), "On pages; without it, the id.").example(r#""Company""#),
        Key::later("logo", Path, Default(r#""""#), "On pages."),
        Key::later("button_color", Text, Default(r#""""#), "On pages."),
        Key::later("sign_up", Text, Default(r#""""#), "\"prompt_create\", or a URL where people register."),
        Key::now("claims", Table("provider.claims"), Nothing, "Which claim is what."),
    ],
};

/// A claim, or a path into nested ones by dots.
const CLAIM: Kind = Pattern("^([^.\\x00-\\x1f]+(\\.[^.\\x00-\\x1f]+)*)?$");

pub(super) const CLAIMS: Section = Section {
    name: "provider.claims",
    form: Form::Table,
    about: "Names of claims, or paths with dots into nested ones.",
    keys: &[
        Key::now(
            "user",
            CLAIM,
            Default(r#""sub""#),
            "Becomes X-Forwarded-User; who somebody is, is always (issuer, sub).",
        ),
        Key::now("email", CLAIM, Default(r#""email""#), "Their address."),
        Key::now("name", CLAIM, Default(r#""name""#), "What pages call them."),
        Key::later("given_name", CLAIM, Default(r#""given_name""#), "Their given name."),
        Key::later("family_name", CLAIM, Default(r#""family_name""#), "Their family name."),
        Key::now("groups", CLAIM, Default(r#""groups""#), "A list of strings, or one string.")
            .example(r#""realm_access.roles""#),
        Key::now("preferred_username", CLAIM, Default(r#""preferred_username""#), "What they call themselves."),
    ],
};
