//! What the language has and this version does not.
//!
//! The language is fixed, and versions grow into it: a key that is right and not
//! known yet gets a message of its own instead of "unknown". An entry goes away
//! when its reader asks for the key, and this module when the last entry does.

/// Keys by section.
const KEYS: [(&str, &[&str]); 10] = [
    ("", &["mail", "pages", "compat"]),
    ("server", &["admin_socket", "admin_url", "admins", "compat"]),
    ("store", &["audit_retention"]),
    (
        "session",
        &["recheck", "max_staleness", "outage_grace", "persistent", "same_site", "cookie_name", "cookie_domain"],
    ),
    (
        "provider",
        &[
            "tenant",
            "allowed_tenants",
            "authorization_endpoint",
            "token_endpoint",
            "jwks_uri",
            "userinfo_endpoint",
            "end_session_endpoint",
            "revocation_endpoint",
            "introspection_endpoint",
            "proxy",
            "client_secret_expires",
            "client_key",
            "client_key_file",
            "client_certificate_file",
            "decryption_key",
            "decryption_key_file",
            "federated_token_file",
            "client_secret_next",
            "client_secret_next_file",
            "email_domains",
            "graph_url",
            "revocation_auth",
            "introspection_auth",
            "response_type",
            "response_mode",
            "request_object",
            "prompt",
            "login_hint",
            "domain_hint",
            "acr_values",
            "max_age",
            "require_auth_time",
            "ui_locales",
            "resource",
            "extra_params",
            "bearer",
            "audiences",
            "authorization",
            "logo",
            "button_color",
            "sign_up",
        ],
    ),
    ("provider.claims", &["given_name", "family_name"]),
    (
        "app",
        &[
            "description",
            "logo",
            "category",
            "callback_url",
            "post_logout_url",
            "post_logout_urls",
            "logout_paths",
            "clear_cookies",
            "cors_preflight",
            "allowed_origins",
            "cache",
            "preserve_post",
            "keep_fragment",
            "catalog",
            "open_to_public",
            "headers",
            "session",
            "sign_in",
        ],
    ),
    ("app.access", &["admins", "consent", "required_claims"]),
    ("app.route", &["on_anonymous"]),
    ("app.route.access", &["max_auth_age", "acr"]),
];

/// Words by section and key.
const CHOICES: [(&str, &str, &[&str]); 2] = [
    ("provider", "preset", &["entra", "keycloak", "google", "okta", "auth0", "gitlab", "encvoy"]),
    ("provider", "client_auth", &["client_secret_jwt", "private_key_jwt", "tls_client_auth", "workload_identity"]),
];

/// Whether a later version knows the key there.
pub(super) fn knows(section: &str, key: &str) -> bool {
    KEYS.iter().any(|(name, keys)| *name == section && keys.contains(&key))
}

/// Whether a later version knows the word there.
pub(super) fn knows_choice(section: &str, key: &str, word: &str) -> bool {
    CHOICES.iter().any(|(name, named, words)| *name == section && *named == key && words.contains(&word))
}
