//! Where a configuration comes from, and the one thing that is read without the rest.
//!
//! An [`Origin`] can be read again: a reload sees the files as they are then, under
//! the flags and variables that the process was started with.

use std::{collections::BTreeSet, ffi::OsString, net::SocketAddr, path::PathBuf};

use crate::config::{
    Faults, Settings,
    fault::{Fault, Report},
    find_sources, listen,
    section::{Reading, Section},
    settings::Words,
    tree::{self, Table, Value},
};

/// Where configuration files are looked for when nobody names one.
const DEFAULT_FILES: [&str; 2] = ["vestibule.toml", "/etc/vestibule/vestibule.toml"];

/// What is shown to somebody who says nothing at all.
const TWO_WAYS: &str = "\
write vestibule.toml, and name it with --config FILE where it is not here or in /etc/vestibule:

[[provider]]
id = \"company\"
issuer = \"https://id.example.com\"
client_id = \"wiki\"
client_secret_file = \"client-secret\"

[[app]]
id = \"wiki\"
public_url = \"https://wiki.example.com\"
upstream = \"http://127.0.0.1:8080\"

[app.access]
policy = \"listed\"
allow = [{ email_domain = \"example.com\" }]

or say the same without a file, in flags or in variables (VESTIBULE_PUBLIC_URL and so on):

vestibule serve --public-url https://wiki.example.com --upstream http://127.0.0.1:8080 \\
    --issuer https://id.example.com --client-id wiki --client-secret-file client-secret \\
    --allow-email-domain example.com";

/// Everything that a configuration is read from.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// Files, and folders of them.
    pub files: Vec<PathBuf>,
    /// What flags and variables say; it goes over the files.
    pub settings: Settings,
}

impl Origin {
    /// The files that flags name, else those that the environment names, else the first default that exists; there may
    /// be none.
    pub fn of(
        files: Vec<PathBuf>,
        flags: impl Fn(&str) -> Vec<String>,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Self {
        let (named, settings) = Settings::gather(flags, environment);
        let candidates = [files, named].into_iter().find(|files| !files.is_empty());
        let default = || DEFAULT_FILES.iter().map(PathBuf::from).filter(|path| path.exists()).take(1).collect();
        Self { files: candidates.unwrap_or_else(default), settings }
    }

    /// Where the ops listener of a configuration is, whatever else is wrong with it: who asks after the health of a
    /// process may not be able to read its secrets, and a faulty new file says nothing about the one that runs.
    pub fn ops_address(&self) -> Result<OpsAddress, Faults> {
        let mut report = Report::default();
        let mut taken = BTreeSet::new();
        let found: Vec<_> = self.files.iter().map(|path| find_sources(&mut report, path, &mut taken)).collect();
        let words = Words::add_to(&mut report, &self.settings);
        let mut all_readable = Ok(());
        let mut joined = Table::default();
        for found in found {
            let trees = found.map(|sources| {
                sources.into_iter().map(|source| tree::parse(&report, source, &|name| std::env::var_os(name)))
            });
            match trees.and_then(Iterator::collect::<Reading<Vec<_>>>) {
                Ok(trees) => trees.into_iter().for_each(|tree| tree::merge(&report, &mut joined, tree)),
                Err(reported) => all_readable = Err(reported),
            }
        }
        words.go_over(&report, &mut joined);
        let only = only_ops_listen(joined);
        if !only.entries.is_empty() {
            all_readable = Ok(());
        }
        let address = all_readable.and_then(|()| {
            Section::root(&report, &only, |root| {
                root.table_or_empty("server", "server", |server| listen::read_ops_listen(server, None))
            })
        });
        match address {
            Ok(None) => Ok(OpsAddress::Off),
            Ok(Some(address)) if address.port() == 0 => Ok(OpsAddress::AnyPort),
            Ok(Some(address)) => Ok(OpsAddress::At(address)),
            Err(reported) => Err(report.refuse(reported)),
        }
    }
}

/// What is known of the ops listener before anything runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpsAddress {
    /// It listens there; `0.0.0.0` and `::` are every address of the machine.
    At(SocketAddr),
    /// It takes any port that is free.
    AnyPort,
    /// There is none.
    Off,
}

/// A tree with at most this one key.
fn only_ops_listen(mut tree: Table) -> Table {
    let mut only = Table::default();
    if let Some(mut server) = tree.entries.remove("server") {
        let Value::Table(table) = &mut server.node.value else { return only };
        table.entries.retain(|key, _| key == "ops_listen");
        if !table.entries.is_empty() {
            only.entries.insert("server".to_owned(), server);
        }
    }
    only
}

/// Puts into words that there is nothing to read.
pub(super) fn says_nothing() -> Fault {
    Fault::nowhere("no configuration file is given, and no flags that would do without one").help(TWO_WAYS)
}
