//! Flags and environment variables as a source of the configuration: the one-app case without a file.
//!
//! What they say becomes a tree like that of a file and goes over the files' tree
//! before any section reads it, so one reader judges both and all faults come
//! together; a fault shows the flag or variable where it would show a line. For each
//! key, flags win over variables, and both over files.
//!
//! [`SETTINGS`] is all there is to know: a flag, its variable and its key are one row.
//! It is kept short on purpose; whoever needs more has outgrown a command line.
//!
//! A secret has a variable and no flag, because arguments are seen by every user of a
//! machine. Kubernetes puts `NAME_PORT`, `NAME_SERVICE_HOST` and their like into each
//! container, after the services of its namespace; with a service called `vestibule`
//! they begin as ours do, and so no name of ours has such an end. Variables that are
//! not ours are left alone; one that looks like a slip is worth a warning.

use std::{ffi::OsString, path::PathBuf};

use crate::secret::Secret;

mod apply;

pub(super) use apply::Words;

/// How all variables begin.
const PREFIX: &str = "VESTIBULE_";

/// The variable that names configuration files, as `--config` does.
const FILES_VARIABLE: &str = "VESTIBULE_CONFIG";

/// How far a variable may be from one of ours to be taken for it (Jaro-Winkler, without the common beginning).
const SIMILAR: f64 = 0.9;

/// One thing that can be said without a file.
#[derive(Debug)]
pub struct Setting {
    name: &'static str,
    /// What stands for the value in the help.
    pub value_name: &'static str,
    /// What it is for.
    pub help: &'static str,
    /// What it speaks of.
    pub subject: Subject,
    key: &'static [&'static str],
    shape: Shape,
    /// A value of it, where there is no app or provider without one.
    needed: Option<&'static str>,
}

/// What a setting speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The only `[[app]]`.
    App,
    /// The only `[[provider]]`.
    Provider,
    /// The process as a whole.
    Process,
}

/// What a value is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// One string.
    Text,
    /// One string that has no flag.
    Secret,
    /// Strings, with commas between them or each with a flag of its own.
    List,
    /// The same, each a condition that has this key.
    Conditions(&'static str),
}

/// Every setting, in the order of the help.
pub static SETTINGS: [Setting; 23] = [
    Setting::app("public-url", "URL", &["public_url"])
        .needed("https://wiki.example.com")
        .says("Where visitors find the app"),
    Setting::app("upstream", "URL", &["upstream"])
        .needed("http://127.0.0.1:8080")
        .says("Where the app's own server is: http://, https://, h2c:// or unix:/PATH"),
    Setting::app("app-name", "NAME", &["name"]).says("What pages call the app; without it, its host"),
    Setting::app("access", "POLICY", &["access", "policy"])
        .says("`anyone` whom the provider signs in, or `listed`: whom an --allow-* names"),
    Setting::app("allow-email", "ADDRESSES", &["access", "allow"])
        .conditions("email")
        .says("People who may enter, by verified address"),
    Setting::app("allow-email-domain", "DOMAINS", &["access", "allow"])
        .conditions("email_domain")
        .says("Domains of verified addresses that may enter; `*.example.com` is what is below it"),
    Setting::app("allow-group", "GROUPS", &["access", "allow"])
        .conditions("group")
        .says("Groups that may enter (names with a comma need a file)"),
    Setting::provider("issuer", "URL", &["issuer"])
        .needed("https://id.example.com")
        .says("The OpenID Provider, exactly as its metadata calls it"),
    Setting::provider("client-id", "ID", &["client_id"])
        .needed("wiki")
        .says("The client id that the provider has given"),
    Setting::provider("client-secret", "SECRET", &["client_secret"]).secret().says("The client secret itself"),
    Setting::provider("client-secret-file", "FILE", &["client_secret_file"])
        .says("The file of the client secret; without a secret, a public client"),
    Setting::provider("scopes", "SCOPES", &["scopes"])
        .list()
        .says("What is asked for; without it, openid,profile,email"),
    Setting::provider("groups-claim", "CLAIM", &["claims", "groups"])
        .says("Where groups are, with dots into nested claims; without it, groups"),
    Setting::provider("trust-email", "WHEN", &["trust_email"])
        .says("When addresses count: `verified`, `always` or `never`; without it, verified"),
    Setting::provider("provider-ca-file", "FILE", &["ca_file"])
        .says("PEM certificates that the provider may show, beside the system's"),
    Setting::process("listen", "ADDRESSES", &["server", "listen"])
        .list()
        .says("Where visitors come in; without it, 127.0.0.1:4180"),
    Setting::process("ops-listen", "ADDRESS", &["server", "ops_listen"])
        .says("Where /livez, /readyz and /metrics are; without it, 127.0.0.1:4181; \"\" for none"),
    Setting::process("trusted-proxy", "RANGES", &["server", "trusted_proxies"])
        .list()
        .says("Proxies whose X-Forwarded-* are believed: addresses, ranges or `unix`"),
    Setting::process("keys-secret", "KEYS", &["keys", "secret"]).secret().says("The keys themselves"),
    Setting::process("keys-secret-file", "FILE", &["keys", "secret_file"])
        .says("The keys that seal cookies, one a line; without them, made at each start"),
    Setting::process("store-url", "URL", &["store", "url"]).says("Where sessions are kept: memory:"),
    Setting::process("log-level", "LEVEL", &["log", "level"]).says("How much is logged; without it, info"),
    Setting::process("log-format", "FORMAT", &["log", "format"])
        .says("`auto` (human on a terminal, json elsewhere), `human` or `json`"),
];

impl Setting {
    const fn app(name: &'static str, value_name: &'static str, key: &'static [&'static str]) -> Self {
        Self { name, value_name, help: "", subject: Subject::App, key, shape: Shape::Text, needed: None }
    }

    const fn provider(name: &'static str, value_name: &'static str, key: &'static [&'static str]) -> Self {
        Self { subject: Subject::Provider, ..Self::app(name, value_name, key) }
    }

    const fn process(name: &'static str, value_name: &'static str, key: &'static [&'static str]) -> Self {
        Self { subject: Subject::Process, ..Self::app(name, value_name, key) }
    }

    const fn says(self, help: &'static str) -> Self {
        Self { help, ..self }
    }

    const fn list(self) -> Self {
        Self { shape: Shape::List, ..self }
    }

    const fn conditions(self, key: &'static str) -> Self {
        Self { shape: Shape::Conditions(key), ..self }
    }

    const fn secret(self) -> Self {
        Self { shape: Shape::Secret, ..self }
    }

    /// There is no app or provider without it; `example` is what the fault shows.
    const fn needed(self, example: &'static str) -> Self {
        Self { needed: Some(example), ..self }
    }

    /// The name of its flag, without the dashes; `None` for a secret.
    pub fn flag(&self) -> Option<&'static str> {
        (self.shape != Shape::Secret).then_some(self.name)
    }

    /// The name of its variable.
    pub fn variable(&self) -> String {
        format!("{PREFIX}{}", self.name.replace('-', "_").to_ascii_uppercase())
    }

    /// The variable that holds the secret itself, where this one names a file of it.
    pub fn secret_variable(&self) -> Option<String> {
        let secret = SETTINGS.iter().find(|other| other.shape == Shape::Secret && other.is_rival_of(self));
        secret.filter(|secret| !std::ptr::eq(*secret, self)).map(Self::variable)
    }

    /// Whether its flag may be given several times.
    pub fn is_list(&self) -> bool {
        matches!(self.shape, Shape::List | Shape::Conditions(_))
    }

    /// Whether both say the same thing, so that only one of them can hold: a key, or a secret and its file.
    fn is_rival_of(&self, other: &Self) -> bool {
        let split = |setting: &Self| {
            setting.key.split_last().map(|(last, above)| (last.trim_end_matches("_file"), above.to_vec()))
        };
        self.subject == other.subject && split(self) == split(other)
    }
}

/// What the flags and the variables of a process say.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    given: Vec<Given>,
    /// Variables of ours that are not UTF-8.
    not_text: Vec<String>,
    /// Variables that look like slips, each with the one that was meant.
    slips: Vec<(String, String)>,
}

/// A setting with its value, or values.
#[derive(Clone, Debug)]
struct Given {
    setting: &'static Setting,
    by: By,
    // Any of them may be a secret, or hold one in a URL.
    values: Vec<Secret<String>>,
}

/// How something was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Flag,
    Variable,
}

impl Settings {
    /// Gathers what `flags` gives for the name of each flag and what the environment holds; beside them the
    /// configuration files that the environment names.
    pub(super) fn gather(
        flags: impl Fn(&str) -> Vec<String>,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> (Vec<PathBuf>, Self) {
        let mut files = Vec::new();
        let mut settings = Self::default();
        for setting in &SETTINGS {
            let values = setting.flag().map(&flags).unwrap_or_default();
            if !values.is_empty() {
                let values = values.into_iter().map(Secret::new).collect();
                settings.given.push(Given { setting, by: By::Flag, values });
            }
        }
        let by_flags: Vec<_> = settings.given.iter().map(|given| given.setting).collect();
        for (name, value) in environment {
            let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else { continue };
            if name == FILES_VARIABLE {
                files.extend(Some(value).filter(|value| !value.is_empty()).map(PathBuf::from));
                continue;
            }
            let Some(setting) = SETTINGS.iter().find(|setting| setting.variable() == name) else {
                settings.slips.extend(meant(name).map(|meant| (name.to_owned(), meant)));
                continue;
            };
            if by_flags.iter().any(|by_flag| by_flag.is_rival_of(setting)) {
                continue;
            }
            match value.into_string() {
                Ok(value) => settings.given.push(Given { setting, by: By::Variable, values: vec![Secret::new(value)] }),
                Err(_) => settings.not_text.push(name.to_owned()),
            }
        }
        // The environment has no order; what comes first in a list must not change from start to start.
        settings.given.sort_by_key(|given| SETTINGS.iter().position(|setting| std::ptr::eq(setting, given.setting)));
        settings.not_text.sort();
        settings.slips.sort();
        (files, settings)
    }

    /// Whether anything is said of an app or a provider, so that no file is needed for that.
    pub(super) fn describe_an_app(&self) -> bool {
        self.given.iter().any(|given| given.setting.subject != Subject::Process)
    }
}

/// The variable of ours that an unknown one was meant to be.
fn meant(name: &str) -> Option<String> {
    let known = SETTINGS.iter().map(Setting::variable).chain([FILES_VARIABLE.to_owned()]);
    let similarity = |known: &str| strsim::jaro_winkler(&known[PREFIX.len()..], &name[PREFIX.len()..]);
    let nearest = known.map(|known| (similarity(&known), known)).max_by(|a, b| a.0.total_cmp(&b.0));
    nearest.filter(|(similarity, _)| *similarity >= SIMILAR && !is_service_link(name)).map(|(_, known)| known)
}

/// Whether Kubernetes made a variable, for a service whose name begins as ours.
fn is_service_link(name: &str) -> bool {
    name.ends_with("_SERVICE_HOST")
        || name.ends_with("_PORT")
        || name.contains("_SERVICE_PORT")
        || name.contains("_PORT_")
}

#[cfg(test)]
mod tests;
