//! The top level: which tables there are.

use super::{
    Form, Key,
    Kind::{Table, Tables},
    Section,
    Without::{Fault, Nothing},
};

pub(super) const ROOT: Section = Section {
    name: "",
    form: Form::Table,
    about: "The configuration of Vestibule, a reverse proxy that signs visitors in through OpenID Connect.",
    keys: &[
        Key::now("server", Table("server"), Nothing, "Where it listens, whom it believes, how it stops."),
        Key::now("log", Table("log"), Nothing, "What is written to standard output."),
        Key::now("keys", Table("keys"), Nothing, "The ring of keys that seals cookies."),
        Key::now("store", Table("store"), Nothing, "Where things are kept."),
        Key::now("session", Table("session"), Nothing, "How long people stay signed in."),
        Key::later("mail", Table("mail"), Nothing, "How invitations are sent."),
        Key::later("pages", Table("pages"), Nothing, "How our own pages look."),
        Key::now("provider", Tables("provider"), Fault, "Who says who a visitor is; one table for each provider."),
        Key::now("app", Tables("app"), Fault, "What is protected; one table for each app."),
    ],
};
