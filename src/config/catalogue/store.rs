//! `[keys]` and `[store]`

use super::{
    Form, Key,
    Kind::{Path, Pattern, Secret, Time},
    Section,
    Without::{Default, Nothing},
};

pub(super) const KEYS: Section = Section {
    name: "keys",
    form: Form::Table,
    about: "The ring of keys that seals cookies; without it, made at start for the life of the process.",
    keys: &[
        Key::now(
            "secret_file",
            Path,
            Nothing,
            "One key a line, 32 bytes or more in base64; the first seals, all open. To rotate, add the new key second and \
             later move it first.",
        )
        .example(r#""keys""#),
        Key::now("secret", Secret, Nothing, "The same, written here."),
    ],
};

pub(super) const STORE: Section = Section {
    name: "store",
    form: Form::Table,
    about: "Where things are kept.",
    keys: &[
        Key::now(
            "url",
            Pattern("^(memory:)?$"),
            Default(r#""memory:""#),
            "The only one in this version: a restart signs everybody out.",
        ),
        Key::later("audit_retention", Time("0s", "3650d"), Default(r#""400d""#), "How long the audit log goes back."),
    ],
};
