//! `[app.access]`, conditions and `[[app.route]]`

use super::{
    Form, Key,
    Kind::{Flag, List, Path, Pattern, Tables, Text, Time, Words, WordsOrTable},
    Section,
    Version::This,
    Without::{Default, Fault, Nothing, Usual},
    provider::ID,
};

pub(super) const ACCESS: Section = Section {
    name: "app.access",
    form: Form::Table,
    about: "Who may enter. All keys of one condition hold together; any condition of a list is enough; `deny` wins.",
    keys: &[
        Key::now(
            "policy",
            Words(&super::Words { now: &["anyone", "listed"], later: &["invited", "admins"] }),
            Fault,
            "anyone (whom the provider signs in) or listed (who matches `allow`).",
        )
        .example(r#""listed""#),
        Key::now("allow", Tables("condition"), Usual, "Whom `listed` lets in.")
            .example(r#"[{ email_domain = "example.com" }]"#),
        Key::now("deny", Tables("condition"), Default("[]"), "Whom nothing lets in."),
        Key::now(
            "allow_file",
            Path,
            Default(r#""""#),
            "Beside `allow`: one address, or @ and a domain, a line; # begins a remark.",
        ),
        Key::later("admins", Tables("condition"), Default("[]"), "Who administers this app."),
        Key::later("consent", Flag, Default("false"), "Ask the visitor before the first hand-over of data."),
        Key::later("required_claims", List(&Text), Default("[]"), "Asked for where the provider does not give them."),
    ],
};

pub(super) const CONDITION: Section = Section {
    name: "condition",
    form: Form::Braces("a condition"),
    about: "All of its keys hold together; one besides `provider` is needed.",
    keys: &[
        Key::now("email_domain", Text, Usual, "\"*.example.com\": what is below it.").example(r#""example.com""#),
        Key::now("email", Text, Nothing, "One address.").example(r#""guest@example.com""#),
        Key::now("group", Text, Nothing, "One of the groups, exactly.").example(r#""staff""#),
        Key::now("claim", Text, Nothing, "A claim, with `is`.").example(r#""hd""#),
        Key::now("is", Text, Nothing, "What the claim is, or a member of its list.").example(r#""example.com""#),
        Key::now("ip", Text, Nothing, "The client's address, or a range.").example(r#""10.0.0.0/8""#),
        Key::now(
            "provider",
            ID,
            Nothing,
            "Who signed them in; needed beside group and claim where an app has several providers.",
        )
        .example(r#""company""#),
    ],
};

pub(super) const ROUTE: Section = Section {
    name: "app.route",
    form: Form::Tables,
    about: "A rule for paths: the first that matches decides; without one, [app.access] does.",
    keys: &[
        Key::now(
            "path",
            Pattern("^/"),
            Fault,
            "Exact; \"*\" is one segment; \"/api/**\" is everything below, and /api.",
        )
        .example(r#""/metrics""#),
        Key::now("methods", List(&Text), Usual, "GET includes HEAD; without the key, all.").example(r#"["GET"]"#),
        Key::now(
            "access",
            WordsOrTable(
                &super::Words { now: &["public", "optional", "anyone", "listed"], later: &["invited", "admins"] },
                "app.route.access",
                This,
            ),
            Fault,
            "public: everybody; optional: everybody, and the app knows whom the policy admits; anyone, listed: that policy; a table narrows.",
        )
        .example(r#""public""#),
        Key::now(
            "on_anonymous",
            Words(&super::Words { now: &["auto", "redirect", "unauthorized"], later: &[] }),
            Default(r#""auto""#),
            "What an anonymous visitor gets: by what the request is (auto), a redirect, or a 401.",
        ),
    ],
};

pub(super) const ROUTE_ACCESS: Section = Section {
    name: "app.route.access",
    form: Form::Braces("`[app.route.access]`"),
    about: "Narrows: the app's policy and any of `allow` and none of `deny`, a recent enough sign-in, a level of it.",
    keys: &[
        Key::now("allow", Tables("condition"), Usual, "Any of these.").example(r#"[{ group = "ops" }]"#),
        Key::now("deny", Tables("condition"), Default("[]"), "None of these."),
        Key::later("max_auth_age", Time("1s", "3650d"), Nothing, "How old the sign-in may be.").example(r#""10m""#),
        Key::later("acr", Text, Nothing, "How they have to have signed in.").example(r#""mfa""#),
    ],
};
