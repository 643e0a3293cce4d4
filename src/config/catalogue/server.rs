//! `[server]`, `[server.tls]` and `[server.limits]`

use super::{
    Form, Key,
    Kind::{Flag, Integer, List, Path, Pattern, Rate, Size, Table, Tables, Text, Time, Words},
    Section,
    Without::{Default, Fault, Nothing},
};

pub(super) const SERVER: Section = Section {
    name: "server",
    form: Form::Table,
    about: "Where it listens, whom it believes, how it stops.",
    keys: &[
        Key::now(
            "listen",
            List(&Text),
            Default(r#"["127.0.0.1:4180"]"#),
            "Where visitors come in: IP addresses with ports, \"unix:/run/vestibule.sock?mode=0660\" (without a mode, 0660), \
             \"systemd:\" for every socket that a .socket unit passes, \"systemd:NAME\" for those with that FileDescriptorName=.",
        )
        .example(r#"["0.0.0.0:443", "[::]:443"]"#),
        Key::now("ops_listen", Text, Default(r#""127.0.0.1:4181""#), "/livez, /readyz and /metrics; \"\" for none."),
        Key::later("admin_socket", Text, Default(r#""auto""#), "The Unix socket of the administration commands."),
        Key::later("admin_url", Text, Default(r#""""#), "An origin of its own for dashboard and API."),
        Key::now("health_path", Pattern("^(/.*)?$"), Default(r#""""#), "\"/healthz\": answers at `listen`, whatever the host: 200, or 503 when stopping."),
        Key::now(
            "prefix",
            Pattern("^(/[A-Za-z0-9._~-]+)*$"),
            Default(r#""/_vestibule""#),
            "Our own endpoints, below each app's public URL.",
        ),
        Key::now(
            "trusted_proxies",
            List(&Text),
            Default("[]"),
            "Addresses or ranges whose X-Forwarded-* and PROXY headers are believed; \"unix\": who comes through Unix sockets.",
        )
        .example(r#"["10.0.0.0/8", "unix"]"#),
        Key::now(
            "proxy_protocol",
            Flag,
            Default("false"),
            "true: only trusted_proxies may connect, each connection with a PROXY header (v1 or v2).",
        ),
        Key::later("admins", Tables("condition"), Default("[]"), "Administrators of every app."),
        Key::now("drain_delay", Time("0s", "1h"), Default(r#""5s""#), "When stopping: not ready any more, still accepting."),
        Key::now("drain_timeout", Time("0s", "1h"), Default(r#""20s""#), "Then: how long requests in flight may take."),
        Key::now("workers", Integer(0, 1024), Default("0"), "Threads; 0 is one for each core."),
        Key::later(
            "compat",
            Words(&super::Words { now: &[], later: &["oauth2-proxy"] }),
            Default(r#""""#),
            "Paths and statuses of another proxy beside our own.",
        ),
        Key::now("tls", Table("server.tls"), Nothing, "TLS towards visitors; without it, plain HTTP."),
        Key::now("limits", Table("server.limits"), Nothing, "What a visitor may ask for."),
    ],
};

pub(super) const TLS: Section = Section {
    name: "server.tls",
    form: Form::Table,
    about: "TLS towards visitors; without it, plain HTTP.",
    keys: &[
        Key::now("certificate", Path, Fault, "PEM, the leaf first; read again when it changes.")
            .example(r#""tls.crt""#),
        Key::now("private_key", Path, Fault, "PEM: PKCS#8, SEC1 or PKCS#1.").example(r#""tls.key""#),
        Key::now(
            "client_ca",
            Path,
            Default(r#""""#),
            "PEM certificates; given, who connects must show one that they vouch for.",
        )
        .example(r#""ca.pem""#),
    ],
};

pub(super) const LIMITS: Section = Section {
    name: "server.limits",
    form: Form::Table,
    about: "What a visitor may ask for.",
    keys: &[
        Key::now(
            "header_bytes",
            Size("8KiB", "1MiB"),
            Default(r#""64KiB""#),
            "Of a request's head: request line and fields together.",
        ),
        Key::now(
            "header_count",
            Integer(16, 1000),
            Default("100"),
            "Fields in a head; another number costs some speed.",
        ),
        Key::now("uri_bytes", Size("1KiB", "63KiB"), Default(r#""16KiB""#), "Of the request's target."),
        Key::now(
            "header_timeout",
            Time("100ms", "1h"),
            Default(r#""10s""#),
            "How long a request's head may take to arrive.",
        ),
        Key::now("keepalive", Time("100ms", "1d"), Default(r#""75s""#), "How long an idle connection is kept."),
        Key::now(
            "connections",
            Integer(0, 10_000_000),
            Default("20000"),
            "At a time; above it, and above what there are descriptors for, the others wait; 0 for any number.",
        ),
        Key::now("sign_ins_per_client", Rate, Default(r#""600/min""#), "By address; \"\" for any number."),
    ],
};
