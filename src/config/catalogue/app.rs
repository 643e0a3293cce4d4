//! `[[app]]`, apart from who may enter and what the app is told.

use super::{
    Form, Key,
    Kind::{Bound, Flag, List, Names, Path, Pattern, Size, Table, Tables, Text, Time, Words},
    Section,
    Without::{Default, Fault, Nothing, Usual},
    provider::{ENDPOINT, ID, OPTIONAL_URL, URL},
};

pub(super) const APP: Section = Section {
    name: "app",
    form: Form::Tables,
    about: "One protected web application.",
    keys: &[
        Key::now("id", ID, Fault, "What others call it here: a-z, 0-9 and -.").example(r#""wiki""#),
        Key::now("name", Text, Default(r#""""#), "On pages, at most 64 characters; without it, the id.")
            .example(r#""Team wiki""#),
        Key::later("description", Text, Default(r#""""#), "On pages, at most 255 characters."),
        Key::later("logo", Path, Default(r#""""#), "On pages: JPG, GIF, PNG or WEBP of at most 1 MB."),
        Key::later("category", Text, Default(r#""""#), "On the page of apps."),
        Key::now("public_url", URL, Fault, "As visitors see it.").example(r#""https://wiki.example.com""#),
        Key::now(
            "insecure_http",
            Flag,
            Default("false"),
            "true: a public URL in plain http that is not on this machine.",
        ),
        Key::now("hosts", List(&Text), Default("[]"), "Further names of the app, without ports.")
            .example(r#"["docs.example.com"]"#),
        Key::now(
            "upstream",
            Pattern("^((https?|h2c)://[^\\s?#\\\\]+|unix:/.+)$"),
            Usual,
            "http://, https://, h2c:// (HTTP/2 in the clear) or unix:/run/wiki.sock, without a path; without the key, a proxy in front has the way to the app and only asks (forward-auth).",
        )
        .example(r#""https://127.0.0.1:8443""#),
        Key::now(
            "strip_path",
            Flag,
            Default("false"),
            "true: public_url's path is removed towards the upstream; X-Forwarded-Prefix has it.",
        ),
        Key::now("preserve_host", Flag, Default("true"), "The upstream sees the visitor's Host."),
        Key::now("providers", List(&ID), Default("[]"), "Ids; needed once there are two providers.")
            .example(r#"["company"]"#),
        Key::now(
            "callback_path",
            Pattern("^(/.*)?$"),
            Default(r#""""#),
            "\"/oauth2/callback\": where the provider leads back, instead of below the prefix.",
        ),
        Key::now(
            "callback_url",
            OPTIONAL_URL,
            Default(r#""""#),
            "With cookie_domain: the callback of one app, registered at the provider for several.",
        ),
        Key::now(
            "post_logout_url",
            ENDPOINT,
            Default(r#""""#),
            "Where a sign-out leads; \"\": our own page. To be registered at the provider.",
        ),
        Key::now(
            "post_logout_urls",
            List(&ENDPOINT),
            Default("[]"),
            "Further ones that /sign_out?rd= may ask for; the same.",
        ),
        Key::now(
            "logout_paths",
            List(&Pattern("^/")),
            Default("[]"),
            "The app's own sign-out, which ends our session too: paths as routes have them.",
        ),
        Key::now(
            "clear_cookies",
            Tables("app.clear_cookies"),
            Default("[]"),
            "The app's cookies that go at every sign-in and sign-out.",
        )
        .example(r#"[{ name = "JSESSIONID", path = "/" }]"#),
        Key::now("merge_slashes", Flag, Default("true"), "false: the upstream gets `//` as it came."),
        Key::now(
            "cors_preflight",
            Words(&super::Words { now: &["refuse", "forward"], later: &[] }),
            Default(r#""refuse""#),
            "forward: the app answers preflights itself, without knowing who asks.",
        ),
        Key::now(
            "allowed_origins",
            List(&URL),
            Default("[]"),
            "Whose pages may open WebSockets here, besides the app's own.",
        ),
        Key::now(
            "cache",
            Words(&super::Words { now: &["private", "as_is"], later: &[] }),
            Default(r#""private""#),
            "No shared cache keeps what is behind the sign-in; as_is: as the app says.",
        ),
        Key::later("preserve_post", Flag, Default("false"), "Keep an anonymous form across the sign-in."),
        Key::later("keep_fragment", Flag, Default("false"), "Carry the #fragment of a deep link across the sign-in."),
        Key::later("catalog", Flag, Default("false"), "Shown on the visitors' page of apps."),
        Key::now(
            "open_to_public",
            Flag,
            Default("false"),
            "true: `anyone` may be everybody, before a provider at which anybody can register.",
        ),
        Key::now("upstream_tls", Table("app.upstream_tls"), Nothing, "How an https:// upstream proves who it is."),
        Key::now("tls", Table("app.tls"), Nothing, "A certificate of the app's own."),
        Key::now("limits", Table("app.limits"), Nothing, "What the app may be sent, and how long it may take."),
        Key::now("session", Table("app.session"), Nothing, "Where this app differs from [session]."),
        Key::now("access", Table("app.access"), Fault, "Who may enter."),
        Key::now("route", Tables("app.route"), Nothing, "Rules for paths; the first that matches decides."),
        Key::now("headers", Table("app.headers"), Nothing, "What the app is told about visitors."),
        Key::later("sign_in", Names(&Text), Nothing, "How the sign-in page of this app looks."),
    ],
};

pub(super) const UPSTREAM_TLS: Section = Section {
    name: "app.upstream_tls",
    form: Form::Braces("`upstream_tls`"),
    about: "How an https:// upstream proves who it is, and who we say that we are.",
    keys: &[
        Key::now("ca_file", Path, Default(r#""""#), "PEM certificates, trusted beside the system's.")
            .example(r#""ca.pem""#),
        Key::now(
            "server_name",
            Text,
            Default(r#""""#),
            "The name its certificate is for, where that is not the URL's.",
        )
        .example(r#""wiki.internal""#),
        Key::now("certificate", Path, Nothing, "What we show of ourselves: PEM, the leaf first.")
            .example(r#""app.crt""#),
        Key::now("private_key", Path, Nothing, "Its key, PEM.").example(r#""app.key""#),
        Key::now("insecure_skip_verify", Flag, Default("false"), "true: whoever answers is the upstream."),
    ],
};

pub(super) const TLS: Section = Section {
    name: "app.tls",
    form: Form::Table,
    about: "A certificate of its own, chosen by name; without it, that of [server.tls].",
    keys: &[
        Key::now("certificate", Path, Fault, "PEM, the leaf first.").example(r#""app.crt""#),
        Key::now("private_key", Path, Fault, "PEM.").example(r#""app.key""#),
    ],
};

pub(super) const LIMITS: Section = Section {
    name: "app.limits",
    form: Form::Table,
    about: "What the app may be sent, and how long it may take.",
    keys: &[
        Key::now("body_bytes", Size("0", "1048576GiB"), Default("0"), "The largest body of a request; 0 for any size.")
            .example(r#""100MiB""#),
        Key::now(
            "connect",
            Time("100ms", "10m"),
            Default(r#""5s""#),
            "How long a connection to the upstream may take.",
        ),
        Key::now(
            "first_byte",
            Bound("100ms", "7d"),
            Default(r#""5m""#),
            "How long the upstream may take to begin its answer, once it has the whole request; 0 for any time.",
        ),
        Key::now(
            "idle",
            Bound("100ms", "7d"),
            Default(r#""1h""#),
            "How long a request or a WebSocket may rest with nothing coming or going; 0 for any time.",
        ),
    ],
};

pub(super) const CLEAR_COOKIE: Section = Section {
    name: "app.clear_cookies",
    form: Form::Braces("a cookie of `clear_cookies`"),
    about: "A cookie of the app that ends at every sign-in and sign-out.",
    keys: &[
        Key::now("name", Text, Fault, "The cookie's name.").example(r#""JSESSIONID""#),
        Key::now("path", Text, Default(r#""/""#), "The path that it was set with."),
    ],
};
